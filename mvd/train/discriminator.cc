#include "mvd/train/discriminator.h"

#include <cmath>

#include "mvd/ir/builder.h"

namespace mvd {
namespace {

constexpr int64_t kNoiseEmbedding = 256, kFrameEmbedding = 64;  // sines and cosines
constexpr double kEps = 1e-6;

// What a head gets besides the features: noise level, picture, and for spatial heads the frame's number.
ValueId Told(Builder& b, ValueId timestep, ValueId condition, int64_t frames) {
  const Dims d = b.dims(condition);
  std::vector<ValueId> parts = {b.Timestep(timestep, kNoiseEmbedding), condition};
  if (frames > 1) {
    for (ValueId& part : parts) part = b.Expand(part, {d.b, frames, 1, 1, b.dims(part).c});
    const ValueId index = b.Timestep(b.FrameIndices(frames), kFrameEmbedding);
    parts.push_back(b.Expand(index, {d.b, frames, 1, 1, kFrameEmbedding}));
  }
  return b.Concat(parts, 4);
}

// Convolution, norm, SiLU.
ValueId Unit(Builder& b, ValueId x, const std::string& index, int64_t width, Axis axis) {
  x = axis == Axis::kSpatial ? b.Conv2d(x, "convs." + index, width)
                             : b.ConvTemporal(x, "convs." + index, width);
  return b.Activation(b.GroupNorm(x, "norms." + index, kHeadGroups, kEps, axis), Act::kSilu);
}

void Head(Builder& b, ValueId x, ValueId told, const std::string& name, int64_t width, Axis axis) {
  ValueId maps, condition;
  {
    Scope scope(b, "discriminator." + name);
    x = Unit(b, x, "0", width, axis);
    x = b.Affine(b.Add(x, Unit(b, x, "1", width, axis)), 1 / std::sqrt(2.0), 0);
    maps = b.Conv2d(x, "conv_out", kHeadMaps, {.kernel = 1});
    condition = b.Linear(told, "projection", kHeadMaps);
  }
  b.Output(name + ".maps", maps);
  b.Output(name + ".condition", condition);
}

}  // namespace

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

ClipHeads HeadsOf(const AdversarialConfig& config) {
  return {config.width, config.heads != "temporal", config.heads != "spatial"};
}

EncoderTaps TapsOf(const AdversarialConfig& config) {
  return config.taps == "layers" ? EncoderTaps::kLayers : EncoderTaps::kBlocks;
}

std::vector<Shape> OutputShapes(const Graph& graph) {
  std::vector<Shape> shapes;
  for (const Output& output : graph.outputs) shapes.push_back(graph.shape(output.value));
  return shapes;
}

Graph BuildClipHeads(const std::vector<Shape>& taps, int64_t condition_dim, const ClipHeads& heads) {
  Builder b("clip_heads");
  const int64_t batch = DimsOf(taps.at(0)).b;
  std::vector<ValueId> features;
  for (size_t i = 0; i < taps.size(); ++i)
    features.push_back(b.Input("down_blocks." + std::to_string(i), taps[i], Phase::kStep));
  const ValueId timestep = b.Input("timestep", {batch, 1, 1, 1, 1}, Phase::kStep);
  const ValueId condition = b.Input("condition", {batch, 1, 1, 1, condition_dim}, Phase::kStep);
  const ValueId of_clip = Told(b, timestep, condition, 1);
  for (size_t i = 0; i < taps.size(); ++i) {
    const std::string index = std::to_string(i);
    if (heads.spatial) {
      const ValueId of_frame = Told(b, timestep, condition, b.dims(features[i]).t);
      Head(b, features[i], of_frame, "spatial." + index, heads.width, Axis::kSpatial);
    }
    if (heads.temporal) Head(b, features[i], of_clip, "temporal." + index, heads.width, Axis::kTemporal);
  }
  return b.Finish();
}

}  // namespace mvd
