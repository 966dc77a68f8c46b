// Latents in a file, with the recipe of the clip that they become. They are what a run has computed for the
// longest: whatever fails after them, they are kept.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "mvd/base/atomic_file.h"
#include "mvd/base/tensor.h"

namespace mvd::cli {

// The name that stands for latents among the formats, and the tensor's in their file.
inline constexpr char kLatentsName[] = "latents";
inline constexpr char kPictureName[] = "picture";
inline constexpr char kLatentsExtension[] = ".safetensors";

// What a clip is decoded from.
struct ClipLatents {
  Tensor latents;  // (1,T,h,w,C), in the file (1,T,C,h,w)
  Tensor picture;  // (1,H,W,3) in [-1,1], for a decoder that moves it; else empty
};

// Errors as WriteSafetensors.
void WriteLatents(const ClipLatents& latents, const std::filesystem::path& target, const std::string& recipe,
                  Replace replace);

// Error(kBadInput) where the file holds no latents of `channels`, or, `with_picture`, no picture.
ClipLatents ReadLatents(const std::filesystem::path& path, int64_t channels, bool with_picture);
// The recipe in their file; empty where they come from elsewhere.
std::string ReadLatentsRecipe(const std::filesystem::path& path);

// Writes latents into the first of `folders` that takes them, under a name that is free:
// NAME.latents.safetensors, NAME.latents-2.safetensors, ... Returns where. Throws the first failure where no
// folder takes them.
std::filesystem::path KeepLatents(const ClipLatents& latents, const std::string& name,
                                  const std::vector<std::filesystem::path>& folders,
                                  const std::string& recipe);

}  // namespace mvd::cli
