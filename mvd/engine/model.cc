#include "mvd/engine/model.h"

#include <array>
#include <bit>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/base/paths.h"
#include "mvd/engine/random_weights.h"
#include "mvd/engine/weight_doubts.h"
#include "mvd/models/video_features.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

// scheduler_config.json's fields, once for reading and writing. `sample/` knows no JSON.
struct SchedulerFile {
  static constexpr std::string_view kClassKey = "_class_name";
  static constexpr std::string_view kClassName = "EulerDiscreteScheduler";
  SchedulerConfig config;

  template <class V>
  void Visit(V&& v) {
    v("num_train_timesteps", config.num_train_timesteps), v("beta_start", config.beta_start);
    v("beta_end", config.beta_end), v("beta_schedule", config.beta_schedule);
    v("trained_betas", config.trained_betas), v("prediction_type", config.prediction_type);
    v("interpolation_type", config.interpolation_type), v("use_karras_sigmas", config.use_karras_sigmas);
    v("use_exponential_sigmas", config.use_exponential_sigmas), v("use_beta_sigmas", config.use_beta_sigmas);
    v("sigma_min", config.sigma_min), v("sigma_max", config.sigma_max);
    v("timestep_spacing", config.timestep_spacing), v("timestep_type", config.timestep_type);
    v("steps_offset", config.steps_offset), v("rescale_betas_zero_snr", config.rescale_betas_zero_snr);
    v("final_sigmas_type", config.final_sigmas_type);
  }
};

bool IsFeatureExtractor(std::string_view class_name) {
  return class_name == FeatureExtractorConfig::kClassName || class_name == "CLIPFeatureExtractor";
}

ClipPreprocessing PreprocessingOf(const FeatureExtractorConfig& config, int64_t image_size,
                                  const std::string& file) {
  ClipPreprocessing result;
  result.size = image_size;
  if (config.image_mean.size() != 3)
    ThrowBadInput(file, "key 'image_mean' has ", config.image_mean.size(), " values, expected 3");
  if (config.image_std.size() != 3)
    ThrowBadInput(file, "key 'image_std' has ", config.image_std.size(), " values, expected 3");
  std::copy_n(config.image_mean.begin(), 3, result.mean.begin());
  std::copy_n(config.image_std.begin(), 3, result.stddev.begin());
  return result;
}

}  // namespace

void Model::ReadComponent(const ModelComponent& component) {
  const std::string file = (component.folder / component.config_file).string();
  const std::string& class_name = component.class_name;
  const nlohmann::json& json = component.config;
  const auto serves = [&](std::initializer_list<const char*> names) {
    for (const char* name : names) folders_[name] = component.folder;
  };
  if (class_name == SvdUnetConfig::kClassName) {
    configs_.unet = ReadConfig<SvdUnetConfig>(json, file);
    defaults_.frames = configs_.unet.num_frames;
    defaults_.decode_chunk_size = configs_.unet.num_frames;
    defaults_.Apply(configs_.unet.sampling);
    serves({"unet"});
  } else if (class_name == VaeConfig::kClassName) {
    configs_.vae = ReadConfig<VaeConfig>(json, file);
    serves({"vae_encoder", "vae_decoder"});
  } else if (class_name == TaesdConfig::kClassName) {
    configs_.taesd = ReadConfig<TaesdConfig>(json, file);
    serves({"taesd_encoder", "taesd_decoder"});
  } else if (class_name == kImageEncoderClass) {
    configs_.image_encoder = ReadConfig<ClipVisionConfig>(json, file);
    serves({"image_encoder"});
  } else if (class_name == SchedulerFile::kClassName) {
    scheduler_ = ReadConfig<SchedulerFile>(json, file).config;
    scheduler_file_ = file;
  } else if (IsFeatureExtractor(class_name)) {
    configs_.feature_extractor = ReadConfig<FeatureExtractorConfig>(json, file);
    preprocessing_ = PreprocessingOf(configs_.feature_extractor, preprocessing_.size, file);
  } else {
    ThrowBadInput(file, "is of class '", Printable(class_name), "', which no part of mobilevd runs");
  }
}

Model Model::OpenSingle(const fs::path& path) {
  Model model;
  model.single_ = SingleFile::Open(path);
  model.origin_ = path.string();
  model.is_pipeline_ = true;
  model.configs_ = model.single_->preset().models;
  model.defaults_ = model.single_->preset().defaults;
  return model;
}

Model Model::Open(const fs::path& path) {
  if (PathExists(path) && !IsFolder(path)) return OpenSingle(path);
  const ModelFolder folder = ModelFolder::Open(path);
  Model model;
  model.origin_ = path.string();
  model.is_pipeline_ = folder.is_pipeline;
  model.defaults_ = ClipDefaults{};
  for (const ModelComponent& listed : folder.components) model.ReadComponent(folder.Component(listed.name));
  if (const double sigma = model.configs_.unet.sampling.sigma_max; sigma > 0)
    model.scheduler_.sigma_max = sigma;
  model.scheduler_.sigmas = model.configs_.unet.sampling.sigmas;
  if (!model.Has("vae_encoder") && model.Has("taesd_encoder")) {
    // Sizes of calls are counted in the VAE's latents; where the tiny autoencoder is the only one, its own.
    const TaesdConfig& taesd = model.configs_.taesd;
    const auto levels = size_t(std::bit_width(uint64_t(ScaleFactor(taesd))));
    model.configs_.vae.block_out_channels.assign(levels, 32);
    model.configs_.vae.down_block_types.assign(levels, "DownEncoderBlock2D");
    model.configs_.vae.latent_channels = taesd.latent_channels;
  }
  return model;
}

Model Model::Random(const Preset& preset, uint64_t seed, DType dtype, const Threads& threads) {
  Model model;
  model.configs_ = preset.models;
  model.defaults_ = preset.defaults;
  model.origin_ = "preset " + preset.name;
  model.is_pipeline_ = model.random_ = true;
  model.seed_ = seed;
  model.dtype_ = dtype;
  model.threads_ = threads;
  return model;
}

bool Model::Has(std::string_view component) const {
  if (single_) return single_->Has(FindComponent(component).folder);
  return random_ || folders_.contains(component);
}

std::unique_ptr<WeightSource> Model::Weights(std::string_view component) const {
  const ComponentInfo& info = FindComponent(component);
  if (random_) {
    return std::make_unique<RandomWeights>(info.build(configs_, kSmallestCall), seed_, dtype_, threads_);
  }
  if (single_) return single_->Weights(info.folder);
  const auto found = folders_.find(component);
  if (found == folders_.end())
    ThrowBadInput(origin_, "has no component for '", component, "', expected a folder '", info.folder, "'");
  return std::make_unique<FolderWeights>(found->second);
}

std::vector<std::string> Model::Doubts() const {
  if (single_) return DoubtUnused(origin_, single_->Unused());
  std::map<fs::path, std::vector<const ComponentInfo*>> networks;
  for (const auto& [name, folder] : folders_) networks[folder].push_back(&FindComponent(name));
  std::vector<std::string> doubts;
  for (const auto& [folder, components] : networks) {
    if (!FindWeightFiles(folder)) continue;
    const FolderWeights weights(folder);
    for (std::string& doubt : WeightDoubts(weights, components, configs_)) doubts.push_back(std::move(doubt));
  }
  return doubts;
}

bool RunsClass(std::string_view class_name) {
  return !NetworksOf(class_name).empty() || class_name == SchedulerFile::kClassName ||
         class_name == VideoFeaturesConfig::kClassName || IsFeatureExtractor(class_name);
}

void WriteConfigs(const Preset& preset, const fs::path& folder, bool tiny_decoder) {
  nlohmann::json index = {{"_class_name", "StableVideoDiffusionPipeline"}, {"_diffusers_version", "0.42.0"}};
  const auto write = [&](const char* name, const char* file, const char* library, std::string_view class_name,
                         const nlohmann::json& json) {
    MakeFolders(folder / name);
    WriteFile(folder / name / file, json.dump(2) + "\n");
    index[name] = {library, class_name};
  };
  const ModelConfigs& m = preset.models;
  write("unet", "config.json", "diffusers", SvdUnetConfig::kClassName, WriteConfig(m.unet));
  write("vae", "config.json", "diffusers", VaeConfig::kClassName, WriteConfig(m.vae));
  if (tiny_decoder) write("taesd", "config.json", "diffusers", TaesdConfig::kClassName, WriteConfig(m.taesd));
  write("image_encoder", "config.json", "transformers", kImageEncoderClass, WriteConfig(m.image_encoder));
  write("scheduler", "scheduler_config.json", "diffusers", SchedulerFile::kClassName,
        WriteConfig(SchedulerFile{SvdSchedulerConfig()}));
  write("feature_extractor", "preprocessor_config.json", "transformers", FeatureExtractorConfig::kClassName,
        WriteConfig(m.feature_extractor));
  WriteFile(folder / "model_index.json", index.dump(2) + "\n");
}

}  // namespace mvd
