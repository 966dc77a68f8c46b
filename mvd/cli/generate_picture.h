// A picture as the networks take it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "mvd/base/tensor.h"
#include "mvd/sample/resize.h"

namespace mvd::cli {

struct Picture {
  Tensor clip_image;  // (1,H',W',3) as the image encoder sees it, at its own resolution
  Tensor image;       // (1,H,W,3)
  std::string crop;   // as CropNote has it
};

Picture LoadPicture(const std::filesystem::path& path, int64_t width, int64_t height, Fit fit);

// ContentHash of the file's bytes: what a recipe knows the picture by.
std::string ImageHash(const std::filesystem::path& path);

// "the picture is 3:2, the clip 2:1: 25 % of the height is cut; --fit pad keeps all". Empty where less than
// half a percent is cut.
std::string CropNote(int64_t picture_width, int64_t picture_height, int64_t width, int64_t height);

}  // namespace mvd::cli
