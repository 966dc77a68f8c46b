// A picture as the networks take it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "mvd/base/tensor.h"
#include "mvd/sample/pipeline.h"
#include "mvd/sample/resize.h"

namespace mvd::cli {

struct Picture {
  RgbImage framed;  // as the image encoder sees it, at its own resolution
  Tensor image;     // (1,H,W,3) f32 in [-1,1], as the autoencoder sees it
  Tensor frame;     // the same at the frames' size, for a decoder that moves it; else empty
  TensorView clip_view() const {
    return {DType::kU8, {1, framed.height, framed.width, 3}, framed.pixels.data()};
  }
};

// Reads no more of the picture than frames of options' size and the image encoder show (ReadImage's `least`).
Picture LoadPicture(const std::filesystem::path& path, const SvdOptions& options, Fit fit, bool with_frame);

struct PictureBytes {
  int64_t reading = 0;  // what LoadPicture holds at most
  int64_t kept = 0;     // what it returns, the image of the clip's size apart
};
// From the file's header. Errors as LoadPicture.
PictureBytes PlanPicture(const std::filesystem::path& path, int64_t width, int64_t height, Fit fit);

// ContentHash of the file's bytes: what a recipe knows the picture by.
std::string ImageHash(const std::filesystem::path& path);

// "the picture is 3:2, the clip 2:1: 25 % of the height is cut; --fit pad keeps all". Empty where less than
// half a percent is cut, and for a fit that does not cut.
std::string CropNote(const std::filesystem::path& path, int64_t width, int64_t height, Fit fit);
std::string CropNote(int64_t picture_width, int64_t picture_height, int64_t width, int64_t height);

}  // namespace mvd::cli
