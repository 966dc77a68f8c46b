#include "mvd/evaluate/video_features_model.h"

#include <algorithm>

#include "mvd/base/error.h"
#include "mvd/base/paths.h"
#include "mvd/io/json.h"
#include "mvd/io/model_folder.h"
#include "mvd/sample/resize.h"

namespace mvd {
namespace {

// The middle of each frame, as wide and high as the network's frames are in proportion, at their size.
void FitFrame(std::span<const float> frame, int64_t height, int64_t width, int64_t to_height,
              int64_t to_width, std::span<float> out) {
  const int64_t h = std::min(height, width * to_height / to_width);
  const int64_t w = std::min(width, height * to_width / to_height);
  Tensor middle({1, h, w, 3});
  for (int64_t y = 0; y < h; ++y) {
    const auto row = frame.begin() + (((height - h) / 2 + y) * width + (width - w) / 2) * 3;
    std::copy_n(row, w * 3, middle.f32().begin() + y * w * 3);
  }
  const Tensor fitted = AreaResize(middle, to_height, to_width);
  std::ranges::transform(fitted.f32(), out.begin(), [](float value) { return value * 2 - 1; });
}

}  // namespace

VideoFeatures::VideoFeatures(const std::filesystem::path& folder, const NetworkOptions& options) {
  if (!PathExists(folder)) ThrowNotFound(folder.string());
  const std::filesystem::path file = folder / "config.json";
  if (!PathExists(file))
    ThrowBadInput(folder.string(), "has no config.json, expected the feature network's folder");
  config_ = ReadConfig<VideoFeaturesConfig>(ReadJsonInside(folder, "config.json"), file.string());
  network_ = std::make_unique<Network>(BuildVideoFeatures(config_, 1), options);
  FolderWeights weights(folder);
  network_->Load(weights);
  const auto& outputs = network_->graph().outputs;
  while (outputs.at(output_).name != "features") ++output_;
}

FeatureMatrix VideoFeatures::Of(const std::vector<FloatClip>& clips) {
  FeatureMatrix features{0, config_.features, {}};
  for (const FloatClip& clip : clips) {
    if (clip.frames != config_.frames || clip.height < config_.height || clip.width < config_.width) {
      ThrowUsage("the feature network sees clips of ", config_.frames, " frames of ", config_.width, "x",
                 config_.height, " or more, but these have ", clip.frames, " of ", clip.width, "x",
                 clip.height);
    }
    const int64_t size = config_.height * config_.width * 3;
    Tensor input({1, clip.frames, config_.height, config_.width, 3}, DType::kF32);
    for (int64_t t = 0; t < clip.frames; ++t)
      FitFrame(clip.Frame(t), clip.height, clip.width, config_.height, config_.width,
               input.f32().subspan(size_t(t * size), size_t(size)));
    const TensorView inputs[] = {input};
    const Tensor out = std::move(network_->Run(inputs)[output_]);
    for (float value : out.f32()) features.values.push_back(double(value));
    ++features.rows;
  }
  return features;
}

}  // namespace mvd
