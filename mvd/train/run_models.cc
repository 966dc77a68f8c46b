#include "mvd/train/run_models.h"

#include <filesystem>

#include "mvd/base/error.h"
#include "mvd/base/paths.h"
#include "mvd/data/synth.h"
#include "mvd/engine/model.h"

namespace mvd {

void CheckModelSection(const ModelSection& section) {
  if (!section.folder.empty() && !section.unet.empty())
    ThrowUsage("model.unet changes a preset's UNet, but model.folder is given");
}

RunModels ResolveModels(const ModelSection& section) {
  CheckModelSection(section);
  RunModels models;
  if (section.folder.empty()) {
    models.tiny_autoencoder = true;  // random weights: the smaller of the two, since neither means anything
    models.configs = FindPreset(section.preset).models;
    models.origin = "preset " + section.preset;
  } else {
    const Model model = Model::Open(section.folder);
    models.configs = model.configs();
    models.tiny_autoencoder = !model.Has("vae_encoder");
    models.origin = section.folder;
  }
  models.configs.unet = OverlaidConfig(models.configs.unet, section.unet, "model.unet");
  if (!section.autoencoder.empty()) {
    models.tiny_autoencoder = true;
    if (PathExists(section.autoencoder)) {
      const Model autoencoder = Model::Open(section.autoencoder);
      models.configs.vae = autoencoder.configs().vae;
      models.configs.taesd = autoencoder.configs().taesd;
      models.tiny_autoencoder = !autoencoder.Has("vae_encoder");
    } else {
      models.origin += " (" + section.autoencoder + " is not there yet: a tiny autoencoder stands for it)";
    }
  }
  // What stands for an autoencoder that is not there yet is not what the keys are meant for.
  if (section.autoencoder.empty() ? section.folder.empty() : PathExists(section.autoencoder))
    models.configs.taesd = OverlaidConfig(models.configs.taesd, section.taesd, "model.taesd");
  if (!section.image_encoder.empty()) {
    models.configs.image_encoder = Model::Open(section.image_encoder).configs().image_encoder;
  }
  return models;
}

int64_t FramesAtOnce(int64_t height, int64_t width) {
  constexpr int64_t kPixels = int64_t{1} << 21;
  return std::max<int64_t>(1, kPixels / (height * width));
}

VideoFeaturesConfig VideoFeaturesOf(const FeaturesConfig& config) {
  VideoFeaturesConfig network;
  network.frames = config.data.frames, network.height = config.data.height, network.width = config.data.width;
  network.features = config.features;
  network.kinds = int64_t(SynthKinds().size());
  CheckConfig(ConfigChecker("data"), network);
  return network;
}

}  // namespace mvd
