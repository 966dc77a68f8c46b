// The image encoder, transformers' CLIPVisionModelWithProjection (arXiv 2103.00020), and the config of the
// CLIPImageProcessor in front of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mvd/ir/graph.h"
#include "mvd/models/config_json.h"

namespace mvd {

struct ClipVisionConfig {
  static constexpr std::string_view kClassKey = "model_type";
  static constexpr std::string_view kClassName = "clip_vision_model";

  std::vector<std::string> architectures = {"CLIPVisionModelWithProjection"};
  int64_t hidden_size = 768;
  int64_t intermediate_size = 3072;
  int64_t projection_dim = 512;
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;
  int64_t num_channels = 3;
  int64_t image_size = 224;
  int64_t patch_size = 32;
  std::string hidden_act = "quick_gelu";
  double layer_norm_eps = 1e-5;

  template <class V>
  void Visit(V&& v) {
    v("architectures", architectures), v("hidden_size", hidden_size);
    v("intermediate_size", intermediate_size), v("projection_dim", projection_dim);
    v("num_hidden_layers", num_hidden_layers), v("num_attention_heads", num_attention_heads);
    v("num_channels", num_channels), v("image_size", image_size), v("patch_size", patch_size);
    v("hidden_act", hidden_act), v("layer_norm_eps", layer_norm_eps);
  }
  bool operator==(const ClipVisionConfig&) const = default;
};

void CheckConfig(const ConfigChecker& check, const ClipVisionConfig& config);

// Input "pixel_values" (N,1,S,S,3), normalised, S = image_size; output "image_embeds"
// (N,1,1,1,projection_dim), not normalised.
Graph BuildClipVision(const ClipVisionConfig& config, int64_t images);

// preprocessor_config.json. SVD's pipeline does its own resizing and uses only the normalisation.
struct FeatureExtractorConfig {
  static constexpr std::string_view kClassKey = "feature_extractor_type";
  static constexpr std::string_view kClassName = "CLIPImageProcessor";

  std::string image_processor_type = "CLIPImageProcessor";
  std::vector<double> image_mean = {0.48145466, 0.4578275, 0.40821073};
  std::vector<double> image_std = {0.26862954, 0.26130258, 0.27577711};
  bool do_normalize = true;

  template <class V>
  void Visit(V&& v) {
    v("image_processor_type", image_processor_type), v("image_mean", image_mean), v("image_std", image_std);
    v("do_normalize", do_normalize);
  }
  bool operator==(const FeatureExtractorConfig&) const = default;
};

void CheckConfig(const ConfigChecker& check, const FeatureExtractorConfig& config);

}  // namespace mvd
