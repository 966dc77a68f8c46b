// Stable Video Diffusion in one file, as Stability AI publishes it (svd.safetensors, svd_xt.safetensors): the
// names of generative-models' modules, and what each tensor is called in diffusers' folders.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mvd {

// Sizes that the names depend on.
struct StabilityLayout {
  int64_t unet_layers = 2;  // residual blocks of a level
  int64_t vae_levels = 4;
};
// Read off the names themselves.
StabilityLayout LayoutOf(const std::vector<std::string>& names);

// How the tensor of the folder comes out of the one in the file.
enum class StabilityForm {
  kSame,
  kMatrix,      // a 1x1 convolution (O,I,1,1) for a matrix (O,I)
  kTransposed,  // (I,O) for (O,I)
  kThird,       // `part`, 0 to 2, of three that stand one after another along the first axis
};

struct StabilityTensor {
  std::string folder;  // "unet", "vae" or "image_encoder"
  std::string name;    // diffusers' or transformers'
  StabilityForm form = StabilityForm::kSame;
  int part = 0;
};

// What the file's tensor `name` becomes: one tensor, or three (queries, keys and values in one). Empty where
// diffusers' model has none.
std::vector<StabilityTensor> FromStability(std::string_view name, const StabilityLayout& layout);

// Whether the released files hold such a tensor although the model runs without it: OpenCLIP's text side, a
// second image encoder and a second decoder.
bool IsStabilitySpare(std::string_view name);

// Whether these are the names of such a file.
bool HasStabilityNames(const std::vector<std::string>& names);

}  // namespace mvd
