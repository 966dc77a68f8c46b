// What a training run is: plain structs, and one list of their options (run_options.cc) from which reading,
// writing, overriding, checking and comparing are derived.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mvd {

// [model]: where the networks come from.
struct ModelSection {
  std::string folder;          // weights and configs to start from; empty: the preset, seeded random weights
  std::string preset = "svd";  // used where `folder` is empty
  std::string unet;            // JSON object laid over the UNet's config; empty: as it is
  std::string autoencoder;     // folder of a trained autoencoder; empty: the one of folder or preset
  std::string image_encoder;   // folder of the image encoder; empty: the one of folder or preset
  std::string taesd;           // JSON object laid over the tiny autoencoder's config (autoencoder runs)
  int64_t weight_seed = 0;
  std::string start =
      "random";  // random | copy: what a preset's UNet answers before it has learnt (loop/start.h)
};

// [data]
struct DataSection {
  std::string kind = "synth";  // synth | shards | mix
  std::string folder;          // of shards
  std::string mix;             // mix: JSON object, weight by source: "synth" or a folder of shards
  std::string photos;  // synth: folder of pictures to move; empty: drawn textures only; pictures: needed
  std::string latent_cache;      // folder for cached latents; empty: encode every clip again
  std::string verify = "clips";  // clips | shards: what is held against hashes
  std::string heldout;  // shards (pictures: photos) for the held-out loss; empty: synth of another seed
  int64_t clips = 0;    // synth: as many, again and again; 0: endless
  int64_t workers = 0;  // threads that make clips ahead; 0: a clip is made when it is needed
  bool keep = false;    // synth with `clips`: made once, then in memory
  int64_t height = 256, width = 512, frames = 14;
  double fps = 7;
};

// [optimiser] AdamW
struct OptimiserSection {
  double lr = 1e-5;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 1e-2;
  double clip_norm = 1;  // of the whole gradient; 0: off
};

// [schedule]
struct ScheduleSection {
  std::string kind = "constant";  // constant | cosine
  int64_t warmup_steps = 500;
  double min_lr = 0;  // where cosine ends
};

// [run]
struct RunSection {
  std::string out = "run";
  int64_t steps = 10000;
  int64_t batch = 1;         // clips (autoencoder: clips too, their frames are the images) of one process
  int64_t accumulation = 1;  // micro-batches a step
  int64_t seed = 0;
  std::string device = "cpu";  // cpu | cuda
  // f32 | tf32 | bf16: of matrix products; masters, moments, losses stay f32. tf32 is f32 on the CPU.
  std::string precision = "f32";
  bool record = false;  // cuda, diffusion: a step's kernels are recorded once and launched as a whole
  int64_t recompute_segments = 0;
  bool deterministic = false;
  int64_t threads = 0;  // 0: all
};

// [ema]
struct EmaSection {
  double half_life = 20000;  // samples; 0: no average is kept
  double ramp_up = 0.05;     // half-life is at most this share of the samples seen; 0: no ramp
};

// [checkpoint], [samples], [heldout], [log]: what is written on the way.
struct OutputSection {
  int64_t checkpoint_steps = 1000;    // 0: not by steps
  double checkpoint_minutes = 15;     // 0: not by time
  int64_t checkpoint_keep = 2;        // newest ones kept
  int64_t checkpoint_keep_every = 0;  // steps whose multiples stay for ever; 0: none
  int64_t samples_steps = 500;        // 0: never
  int64_t samples_count = 4;
  int64_t samples_denoise_steps = 8;
  int64_t heldout_steps = 250;  // 0: never
  int64_t heldout_clips = 16;
  int64_t log_steps = 1;  // TensorBoard scalars; the JSON lines get every step
  bool tensorboard = true;
  bool nan_guard = false;  // names the first node that is not finite
};

struct CommonConfig {
  ModelSection model;
  DataSection data;
  OptimiserSection optimiser;
  ScheduleSection schedule;
  RunSection run;
  EmaSection ema;
  OutputSection output;
};

// `train diffusion`: SVD's own image-to-video objective.
struct DiffusionConfig : CommonConfig {
  // [noise] EDM's training noise, ln sigma ~ N(p_mean, p_std^2); SVD's values for image-to-video at low
  // resolution (arXiv 2311.15127, appendix D).
  double p_mean = 0.7, p_std = 1.6;
  // [loss] With latents that hold motion: weight of what is said of places that the first frame shows.
  double seen_weight = 0.1;
  // [conditioning] the first frame's own noise, ln sigma_c ~ N(aug_mean, aug_std^2), in pixels before
  // encoding.
  double aug_mean = -3, aug_std = 0.5;
  double drop_image_embedding = 0.1;     // share of clips whose CLIP embedding is zero, drawn independently
  double drop_latent = 0.1;              // share of clips whose conditioning latent is zero
  std::string image_encoder = "frozen";  // train | frozen | none: zeros in its place
  double fps_id = -1;                    // -1: the clip's rate less one, as diffusers passes it
  double motion_bucket_id = -1;          // -1: the clip's own
};

// `train autoencoder`: the tiny autoencoder, frame by frame.
struct AutoencoderConfig : CommonConfig {
  std::string part = "both";  // both | encoder | decoder
  double l1 = 1, mse = 0;     // weights of the errors per pixel, images in [-1,1]
  double edges = 0.25;        // weight of the L1 error of Laplacian pyramids
  double latent_norm = 0.01;  // weight of (mean^2 + (std-1)^2) of latents: what diffusion expects
  double latent_noise = 0;    // standard deviation of noise put on latents before decoding
  double equivariance = 0;  // weight of the distance of moved latents from the moved picture's (loop/warp.h)
  double adversarial = 0;   // weight of a patch discriminator's judgement; 0: there is none
  int64_t adversarial_start = 50000;  // samples after which it begins

  AutoencoderConfig();
};

// `train features`: the network on whose features `evaluate` compares clips (mvd/models/video_features.h), on
// procedural clips of its own size.
struct FeaturesConfig : CommonConfig {
  int64_t features = 32;
  // Weights of the losses: how fast each part moves, what damage a clip has, the kind of scene.
  double motion = 10, damage = 1, kind = 0.2;

  FeaturesConfig();
};

// `train adversarial`: one denoising step, taught by a discriminator on the frozen encoder half of a UNet
// (SF-V, arXiv 2406.04324), with the pruning of temporal blocks learnt along (MobileVD, arXiv 2412.07583,
// section 3.4). Funnels that stand beside their layers are trained so and multiplied in at the end. The
// initial values are MobileVD's (supplement A2.1), else SF-V's; p_mean and p_std have no part in it.
struct AdversarialConfig : DiffusionConfig {
  // [generator] It sees a noise level of the `levels` - 1 upper ones of EDM's grid, each as often.
  int64_t levels = 4;
  double sigma_min = 0.002, sigma_max = 700;
  double adversarial = 1, pseudo_huber = 0.1;  // weights of its two losses
  std::string frame_noise = "independent";     // independent | shared: of a clip's frames
  std::string teacher;  // model folder whose own clips are the target of the distance; empty: the real clips
  double huber_c = -1;  // of the pseudo-Huber loss; -1: 0.00054 sqrt(elements of a clip)
  // [discriminator]
  std::string backbone;                      // model folder of its UNet; empty: the generator's first weights
  std::string taps = "blocks";               // blocks | layers: what they look at
  std::string heads = "both";                // both | spatial | temporal
  int64_t width = 256;                       // channels of a head
  double rate = 10;                          // of its learning rate to the generator's
  double level_mean = -1, level_std = 1;     // ln of the noise it sees clips with, on a grid
  int64_t level_count = 1000;                // of that grid
  double r1 = 1e-6;                          // weight of the gradient penalty, times r1_every where applied
  int64_t r1_every = 5;                      // steps between penalties
  std::string r1_on = "features";            // features | input
  int64_t discriminator_warmup_steps = 500;  // in which the heads alone are trained
  // [pruning]
  std::string pruning = "none";  // none | learned | l1
  int64_t keep = 11;             // temporal blocks that are left
  double pruning_lr = 1e-3;      // of the importances' logits
  int64_t draw_steps = 0;        // in which gates are drawn, then the most important blocks stay; 0: all
  double temperature = 0.1;      // of the sigmoids of importances and of the blocks' own weights
  double l1 = 1e-3;              // weight of the sum of 1 - alpha, the paper's baseline

  AdversarialConfig();
};

// How an option may differ between a run and its continuation.
enum class OnResume {
  kFixed,    // a change makes another run of it: refused
  kAllowed,  // changes how long, where or how fast, not what is computed
};

// What a string names that a run reads.
enum class Reads { kNothing, kModel, kData };

struct Option {
  std::string key;                   // "optimiser.lr": section and name in TOML, the name of `--set`
  std::string meaning;               // one line
  std::string unit;                  // "steps", "samples"; empty: none
  double least = 0, most = 0;        // numbers: inclusive
  std::vector<std::string> choices;  // strings: the only values; empty: any
  Reads reads = Reads::kNothing;     // strings: a folder that a run reads
  bool json = false;                 // a string that holds a JSON object; TOML may give a table
  OnResume on_resume = OnResume::kFixed;
  std::variant<bool*, int64_t*, double*, std::string*> value;  // into the config that was listed
};

// Every option once, in the order of the file. The pointers live as long as `config` does.
std::vector<Option> ListOptions(DiffusionConfig& config);
std::vector<Option> ListOptions(AutoencoderConfig& config);
std::vector<Option> ListOptions(FeaturesConfig& config);
std::vector<Option> ListOptions(AdversarialConfig& config);

// A value as TOML: true, 7, 1e-06, "text".
std::string ShowValue(const Option& option);
// "0 to 1", "constant | cosine", "text".
std::string ShowRange(const Option& option);

// Sets one option; returns why it cannot be, naming the key ("key 'run.steps' is -1, expected ..."), or "".
std::string SetOption(const std::vector<Option>& options, std::string_view key, const nlohmann::json& value);
// "key 'optimiser.lrr' is unknown, did you mean 'optimiser.lr'?"
std::string UnknownOption(const std::vector<Option>& options, std::string_view key);

// Sets options from TOML text; those it does not name keep their value. Throws Error(kBadInput) as
// "FILE: line 12: key 'optimiser.lrr' is unknown, did you mean 'optimiser.lr'?" or with what was found and
// what was expected.
void ReadToml(std::string_view text, const std::string& file, const std::vector<Option>& options);
// One override "optimiser.lr=1e-4", as of `--set`. Throws Error(kUsage). Strings need no quotes.
void ApplyOverride(const std::string& assignment, const std::vector<Option>& options);

// A TOML file that reads back to the same values, every option with meaning, unit, range and default.
// `title` is the comment of the first line.
std::string WriteToml(const std::vector<Option>& options, const std::vector<Option>& defaults,
                      const std::string& title);

// {"optimiser.lr": 1e-06, ...} and back. Reading: keys that are unknown are errors, those absent keep their
// value.
nlohmann::json WriteOptionsJson(const std::vector<Option>& options);
void ReadOptionsJson(const nlohmann::json& json, const std::string& file, const std::vector<Option>& options);

struct Difference {
  std::string key, before, after;  // values as TOML
  OnResume on_resume = OnResume::kFixed;
};
// Options that differ, in order. Both lists come of the same kind of config.
std::vector<Difference> CompareOptions(const std::vector<Option>& before, const std::vector<Option>& after);
// Throws Error(kUsage) naming all that must not change: "optimiser.lr was 1e-05, now 1e-04". Returns the
// allowed differences, for a note.
std::vector<Difference> CheckResume(const std::vector<Option>& before, const std::vector<Option>& after);

// What single ranges cannot say (cosine needs more steps than warm-up, shards need a folder, ...). Throws
// Error(kBadInput) naming `file` and the key. Called by ReadRunConfig.
void CheckRunConfig(const DiffusionConfig& config, const std::string& file);
void CheckRunConfig(const AutoencoderConfig& config, const std::string& file);
void CheckRunConfig(const FeaturesConfig& config, const std::string& file);
void CheckRunConfig(const AdversarialConfig& config, const std::string& file);

// File (empty: defaults alone), then overrides, then the check. Error(kNotFound) where the file is absent.
template <class Config>
Config ReadRunConfig(const std::filesystem::path& file, const std::vector<std::string>& overrides = {});
extern template DiffusionConfig ReadRunConfig(const std::filesystem::path&, const std::vector<std::string>&);
extern template AutoencoderConfig ReadRunConfig(const std::filesystem::path&,
                                                const std::vector<std::string>&);
extern template FeaturesConfig ReadRunConfig(const std::filesystem::path&, const std::vector<std::string>&);
extern template AdversarialConfig ReadRunConfig(const std::filesystem::path&,
                                                const std::vector<std::string>&);

}  // namespace mvd
