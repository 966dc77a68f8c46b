#include "mvd/engine/components.h"

#include <string>

#include "mvd/base/error.h"

namespace mvd {
namespace {

Graph BuildUnet(const ModelConfigs& c, const CallSizes& s) {
  const int64_t factor = ScaleFactor(c.vae);
  return BuildSvdUnet(c.unet, s.batch, s.frames, s.height / factor, s.width / factor);
}
Graph BuildEncoder(const ModelConfigs& c, const CallSizes& s) {
  return BuildVaeEncoder(c.vae, s.batch, s.height, s.width);
}
Graph BuildDecoder(const ModelConfigs& c, const CallSizes& s) {
  const int64_t factor = ScaleFactor(c.vae);
  return BuildVaeDecoder(c.vae, s.batch, s.frames, s.height / factor, s.width / factor);
}
Graph BuildTinyEncoder(const ModelConfigs& c, const CallSizes& s) {
  return BuildTaesdEncoder(c.taesd, s.batch, s.height, s.width);
}
Graph BuildTinyDecoder(const ModelConfigs& c, const CallSizes& s) {
  const int64_t factor = ScaleFactor(c.taesd);
  return BuildTaesdDecoder(c.taesd, s.batch, s.frames, s.height / factor, s.width / factor,
                           {s.picture_height, s.picture_width});
}
Graph BuildImageEncoder(const ModelConfigs& c, const CallSizes& s) {
  return BuildClipVision(c.image_encoder, s.batch);
}

constexpr ComponentInfo kComponents[] = {
    {"unet", "unet", SvdUnetConfig::kClassName, BuildUnet},
    {"vae_encoder", "vae", VaeConfig::kClassName, BuildEncoder},
    {"vae_decoder", "vae", VaeConfig::kClassName, BuildDecoder},
    {"taesd_encoder", "taesd", TaesdConfig::kClassName, BuildTinyEncoder},
    {"taesd_decoder", "taesd", TaesdConfig::kClassName, BuildTinyDecoder},
    {"image_encoder", "image_encoder", kImageEncoderClass, BuildImageEncoder},
};

}  // namespace

std::span<const ComponentInfo> Components() { return kComponents; }

std::vector<const ComponentInfo*> NetworksOf(std::string_view class_name) {
  std::vector<const ComponentInfo*> networks;
  for (const ComponentInfo& component : kComponents) {
    if (component.class_name == class_name) networks.push_back(&component);
  }
  return networks;
}

const ComponentInfo& FindComponent(std::string_view name) {
  std::string names;
  for (const ComponentInfo& component : kComponents) {
    if (component.name == name) return component;
    names += (names.empty() ? "" : ", ") + std::string(component.name);
  }
  ThrowUsage("component '", name, "': expected one of ", names);
}

int64_t PixelsPerLatent(const ModelConfigs& configs, std::string_view component) {
  return component.starts_with("taesd") ? ScaleFactor(configs.taesd) : ScaleFactor(configs.vae);
}

}  // namespace mvd
