#include "mvd/models/video_features.h"

#include "mvd/ir/builder.h"

namespace mvd {
namespace {

constexpr int64_t kGroups = 8;
constexpr int64_t kNarrow = 16;  // channels of each place that the features are made of
constexpr double kFeatureEps = 1e-6;

int64_t Cells(int64_t side, size_t levels) { return side >> levels; }

}  // namespace

void CheckConfig(const ConfigChecker& check, const VideoFeaturesConfig& config) {
  const size_t levels = config.block_out_channels.size();
  check.Length("block_out_channels", levels, 1, 6);
  check.Range("block_out_channels", config.block_out_channels, 1, 4096);
  for (int64_t channels : config.block_out_channels) {
    if (channels % kGroups)
      check.Fail("block_out_channels", "has ", channels, ", expected multiples of ", kGroups);
  }
  check.Range("frames", config.frames, 2, 256);
  for (const auto& [key, side] : {std::pair("height", config.height), std::pair("width", config.width)}) {
    check.Range(key, side, 8, 1024);
    if (side % (int64_t{1} << levels)) check.Fail(key, "is ", side, ", expected a multiple of ", 1 << levels);
  }
  check.Range("features", config.features, 1, 4096);
  check.Range("kinds", config.kinds, 1, 4096);
  check.Range("damages", config.damages, 1, 4096);
}

Graph BuildVideoFeatures(const VideoFeaturesConfig& config, int64_t batch) {
  Builder b("video_features");
  ValueId x = b.Input("clip", {batch, config.frames, config.height, config.width, 3}, Phase::kStep);
  const size_t levels = config.block_out_channels.size();
  for (size_t level = 0; level < levels; ++level) {
    Scope scope(b, "blocks." + std::to_string(level));
    const int64_t channels = config.block_out_channels[level];
    x = b.Conv2d(x, "conv", channels, {.stride = 2});
    x = b.Activation(b.GroupNorm(x, "norm", kGroups, kFeatureEps, Axis::kTemporal), Act::kSilu);
    // Motion is a quotient of changes in time and space: products tell it, sums do not.
    x = b.Add(x, b.Geglu(b.ConvTemporal(x, "temporal_conv", 2 * channels, 5)));
  }
  // Pairs of frames, then everything at once: the features keep what happened where.
  x = b.Activation(b.Conv2d(x, "narrow", kNarrow, {.kernel = 1}), Act::kSilu);
  x = b.MaxPool(x, 2, 1, 1);
  x = b.Reshape(x,
                {batch, 1, 1, 1,
                 config.frames / 2 * Cells(config.height, levels) * Cells(config.width, levels) * kNarrow});
  const ValueId features = b.Activation(b.Linear(x, "features", config.features), Act::kTanh);
  b.Output("features", features);
  b.Output("kind", b.Linear(features, "kind", config.kinds));
  b.Output("damage", b.Linear(features, "damage", config.damages));
  b.Output("motion",
           b.Linear(features, "motion", Cells(config.height, levels) * Cells(config.width, levels)));
  return b.Finish();
}

}  // namespace mvd
