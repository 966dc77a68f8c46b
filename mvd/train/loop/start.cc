#include "mvd/train/loop/start.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "mvd/base/error.h"

namespace mvd {
namespace {

constexpr double kRest = 0.1;  // of the random weights beside those that are set
constexpr double kBend = 2;    // where SiLU is nearly straight

bool EndsBranch(const std::string& name) {
  return name.find(".conv2.") != name.npos || name.find(".proj_out.") != name.npos;
}

// (O,I,1,1), input [h | skip]: the last O channels, as far as there are so many.
void PassSkip(at::Tensor& weight) {
  const int64_t out = weight.size(0), in = weight.size(1);
  weight.mul_(kRest);
  for (int64_t c = std::max<int64_t>(0, out - in); c < out; ++c) weight[c][in - out + c][0][0] += 1;
}

}  // namespace

void StartAsCopy(const SvdUnetConfig& config, Parameters& unet) {
  const c10::NoGradGuard guard;
  const int64_t channels = config.out_channels, middle = 1;  // of 3x3 kernels
  if (config.in_channels != 2 * channels || config.block_out_channels[0] < config.in_channels) {
    ThrowUsage("model.start copy: the UNet takes ", config.in_channels, " channels to ",
               config.block_out_channels[0], ", expected twice its ", channels, " outputs to no fewer");
  }
  for (auto& [name, weight] : unet) {
    if (EndsBranch(name)) weight.zero_();
    if (name.starts_with("up_blocks.") && name.ends_with("conv_shortcut.weight")) PassSkip(weight);
  }
  at::Tensor& in = unet.at("conv_in.weight").mul_(kRest);
  at::Tensor& out = unet.at("conv_out.weight").mul_(kRest);
  for (int64_t c = 0; c < channels; ++c) {
    in[2 * c][channels + c][middle][middle] = 1;
    in[2 * c + 1][c][middle][middle] = 1;
    out[c][2 * c][middle][middle] = -1;
  }
  unet.at("conv_norm_out.bias").fill_(kBend);
  unet.at("conv_out.bias").fill_(kBend / (1 + std::exp(-kBend)));  // takes SiLU(kBend) away again
}

}  // namespace mvd
