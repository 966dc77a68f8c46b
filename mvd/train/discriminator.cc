#include "mvd/train/discriminator.h"

#include "mvd/ir/builder.h"

namespace mvd {

Graph BuildPatchDiscriminator(int64_t images, int64_t height, int64_t width) {
  constexpr int64_t kChannels[] = {32, 64, 128};
  Builder b("patch_discriminator");
  ValueId x = b.Input("image", {images, 1, height, width, 3}, Phase::kStep);
  Scope scope(b, "discriminator");  // kDiscriminator without its dot
  for (size_t level = 0; level < std::size(kChannels); ++level) {
    const std::string index = std::to_string(level);
    x = b.Conv2d(x, "convs." + index, kChannels[level], {.stride = 2});
    if (level > 0) x = b.GroupNorm(x, "norms." + index, 8, 1e-6);
    x = b.Activation(x, Act::kSilu);
  }
  b.Output("logits", b.Conv2d(x, "conv_out", 1));
  return b.Finish();
}

}  // namespace mvd
