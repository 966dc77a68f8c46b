#include "mvd/evaluate/video_features_model.h"

#include "mvd/base/error.h"
#include "mvd/base/paths.h"
#include "mvd/io/json.h"
#include "mvd/io/model_folder.h"

namespace mvd {

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
  for (const FloatClip& given : clips) {
    const FloatClip clip = given.height == 2 * config_.height ? Halved(given) : given;
    if (clip.frames != config_.frames || clip.height != config_.height || clip.width != config_.width) {
      ThrowUsage("the feature network sees clips of ", config_.frames, " frames of ", config_.width, "x",
                 config_.height, " or twice that, but these have ", given.frames, " of ", given.width, "x",
                 given.height);
    }
    Tensor input({1, clip.frames, clip.height, clip.width, 3}, DType::kF32);
    for (size_t i = 0; i < clip.rgb.size(); ++i) input.f32()[i] = clip.rgb[i] * 2 - 1;
    const TensorView inputs[] = {input};
    const Tensor out = std::move(network_->Run(inputs)[output_]);
    for (float value : out.f32()) features.values.push_back(double(value));
    ++features.rows;
  }
  return features;
}

}  // namespace mvd
