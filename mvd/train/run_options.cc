// Every option of a training run, once.
#include <cmath>
#include <utility>

#include "mvd/models/presets.h"
#include "mvd/train/run_config.h"

namespace mvd {
namespace {

constexpr double kMany = 1e15;  // an integer range's end where nothing else bounds it; exact in f64
constexpr OnResume kAllowed = OnResume::kAllowed;

// Folders that a run reads: what they hold.
Reads ReadsOf(std::string_view key) {
  for (const char* model :
       {"model.folder", "model.autoencoder", "model.image_encoder", "discriminator.backbone"})
    if (key == model) return Reads::kModel;
  for (const char* data : {"data.folder", "data.photos", "data.heldout"})
    if (key == data) return Reads::kData;
  return Reads::kNothing;
}

// Collects options of one section after another.
struct List {
  std::vector<Option> options;
  std::string section;

  template <class T>
  Option& Add(const char* name, T* value, std::string meaning) {
    Option& option = options.emplace_back();
    option.key = section + "." + name;
    option.reads = ReadsOf(option.key);
    option.meaning = std::move(meaning);
    option.value = value;
    return option;
  }
  template <class T>
  Option& Number(const char* name, T& value, double least, double most, std::string unit,
                 std::string meaning) {
    Option& option = Add(name, &value, std::move(meaning));
    option.least = least, option.most = most, option.unit = std::move(unit);
    return option;
  }
  Option& Text(const char* name, std::string& value, std::vector<std::string> choices, std::string meaning) {
    Option& option = Add(name, &value, std::move(meaning));
    option.choices = std::move(choices);
    return option;
  }
  Option& Flag(const char* name, bool& value, std::string meaning) {
    return Add(name, &value, std::move(meaning));
  }
};

void AddModel(List& list, ModelSection& model) {
  list.section = "model";
  list.Text("folder", model.folder, {},
            "start from this model folder (diffusers' layout); empty: from the preset");
  list.Text("preset", model.preset, PresetNames(),
            "architecture where folder is empty, seeded random weights");
  list.Text("unet", model.unet, {}, "JSON object or table laid over the UNet's config").json = true;
  list.Text("taesd", model.taesd, {}, "JSON object or table laid over the tiny autoencoder's config").json =
      true;
  list.Text("autoencoder", model.autoencoder, {}, "folder of a trained autoencoder; empty: the model's own");
  list.Text("image_encoder", model.image_encoder, {},
            "folder of the CLIP image encoder; empty: the model's own");
  list.Number("weight_seed", model.weight_seed, 0, kMany, "", "seed of random weights");
  list.Text(
      "start", model.start, {"random", "copy"},
      "a preset's UNet begins with random weights, or with those among them that answer with the picture");
}

void AddData(List& list, DataSection& data) {
  list.section = "data";
  list.Text("kind", data.kind, {"synth", "pictures", "shards"},
            "clips made on the fly, single frames of photos and scenes, or prepared clips from a folder");
  list.Text("folder", data.folder, {}, "folder of shards that `data prepare` wrote").on_resume = kAllowed;
  list.Text("verify", data.verify, {"clips", "shards"},
            "hold each clip's pixels against its hash; shards: each file too, read whole when it is first "
            "needed")
      .on_resume = kAllowed;
  list.Text("photos", data.photos, {},
            "synth: folder of pictures to move; empty: drawn textures only; pictures: folder of them");
  list.Text("latent_cache", data.latent_cache, {}, "folder for encoded clips; empty: encode each clip again")
      .on_resume = kAllowed;
  list.Text("heldout", data.heldout, {},
            "shards (pictures: a folder of photos) for the held-out loss; empty: procedural clips of another "
            "seed, for shards too");
  list.Number("clips", data.clips, 0, kMany, "clips",
              "synth: as many, again and again, so that cached latents are found; 0: endless");
  list.Number("workers", data.workers, 0, 1024, "threads",
              "synth, pictures: make clips ahead of the training, for devices that would wait; 0: none")
      .on_resume = kAllowed;
  list.Flag("keep", data.keep, "synth with data.clips: keep clips in memory once they are made").on_resume =
      kAllowed;
  list.Number("height", data.height, 8, 8192, "pixels", "of the clips, a multiple of 8");
  list.Number("width", data.width, 8, 8192, "pixels", "of the clips, a multiple of 8");
  list.Number("frames", data.frames, 1, 1024, "frames", "of a clip");
  list.Number("fps", data.fps, 0.1, 240, "frames/s", "rate of the clips");
}

void AddOptimiser(List& list, OptimiserSection& optimiser, ScheduleSection& schedule) {
  list.section = "optimiser";
  list.Number("lr", optimiser.lr, 0, 1, "", "learning rate of AdamW (arXiv 1711.05101)").on_resume = kAllowed;
  list.Number("beta1", optimiser.beta1, 0, 0.999999, "", "decay of the first moment");
  list.Number("beta2", optimiser.beta2, 0, 0.99999999, "", "decay of the second moment");
  list.Number("eps", optimiser.eps, 1e-16, 1, "", "added to the root of the second moment");
  list.Number("weight_decay", optimiser.weight_decay, 0, 10, "",
              "decoupled; a step multiplies weights by 1 - lr x this");
  list.Number("clip_norm", optimiser.clip_norm, 0, 1e9, "",
              "largest norm of the whole gradient; 0: no limit");
  list.section = "schedule";
  list.Text("kind", schedule.kind, {"constant", "cosine"}, "of the learning rate, after the warm-up");
  list.Number("warmup_steps", schedule.warmup_steps, 0, kMany, "steps", "of linear warm-up");
  list.Number("min_lr", schedule.min_lr, 0, 1, "", "rate at the last step of cosine").on_resume = kAllowed;
}

void AddRun(List& list, RunSection& run, EmaSection& ema) {
  list.section = "run";
  list.Text("out", run.out, {}, "folder of the run: checkpoints, logs, samples").on_resume = kAllowed;
  // As lr and min_lr: a run that was too short goes on, on the curve that they now give.
  list.Number("steps", run.steps, 1, kMany, "steps", "of the optimiser").on_resume = kAllowed;
  list.Number("batch", run.batch, 1, 65536, "clips", "in one micro-batch of one process");
  list.Number("accumulation", run.accumulation, 1, 65536, "", "micro-batches in one step");
  list.Number("seed", run.seed, 0, kMany, "", "of noise, dropout and data order");
  list.Text("device", run.device, {"cpu", "cuda"}, "where the networks run").on_resume = kAllowed;
  list.Text("precision", run.precision, {"f32", "tf32", "bf16"},
            "of matrix products; weights, moments, norms and losses stay f32; tf32: f32 with ten bits of "
            "fraction on cuda, many times faster there");
  list.Flag("record", run.record,
            "cuda, diffusion: record a step's kernels once and launch them as a whole: small networks gain")
      .on_resume = kAllowed;
  list.Number("recompute_segments", run.recompute_segments, 0, 1024, "",
              "segments whose inner values are computed again backward: less memory; 0: keep all")
      .on_resume = kAllowed;
  list.Flag("deterministic", run.deterministic, "the same bits in every run, slower on cuda").on_resume =
      kAllowed;
  list.Number("threads", run.threads, 0, 4096, "threads", "of the processor; 0: all").on_resume = kAllowed;
  list.section = "ema";
  list.Number("half_life", ema.half_life, 0, kMany, "samples", "of the weights' average; 0: none is kept");
  list.Number("ramp_up", ema.ramp_up, 0, 100, "",
              "half-life is at most this share of the samples seen; 0: no ramp");
}

void AddOutput(List& list, OutputSection& output) {
  const size_t first = list.options.size();
  list.section = "checkpoint";
  list.Number("steps", output.checkpoint_steps, 0, kMany, "steps", "between checkpoints; 0: not by steps");
  list.Number("minutes", output.checkpoint_minutes, 0, 1e6, "minutes", "between checkpoints; 0: not by time");
  list.Number("keep", output.checkpoint_keep, 1, 1e6, "", "newest checkpoints that stay");
  list.Number("keep_every", output.checkpoint_keep_every, 0, kMany, "steps",
              "checkpoints at multiples of this stay for ever; 0: none");
  list.section = "samples";
  list.Number("steps", output.samples_steps, 0, kMany, "steps", "between sample clips; 0: never");
  list.Number("count", output.samples_count, 1, 64, "clips", "made each time, of fixed pictures and seeds");
  list.Number("denoise_steps", output.samples_denoise_steps, 1, 1000, "steps", "of the sampler");
  list.section = "heldout";
  list.Number("steps", output.heldout_steps, 0, kMany, "steps", "between held-out losses; 0: never");
  list.Number("clips", output.heldout_clips, 1, 4096, "clips", "of the held-out loss, fixed noise");
  list.section = "log";
  list.Flag("tensorboard", output.tensorboard, "event files too; the JSON lines are always written");
  list.Number("tensorboard_steps", output.log_steps, 1, kMany, "steps", "between TensorBoard scalars");
  list.Flag("nan_guard", output.nan_guard, "stop at the first node that is not finite, and name it");
  for (size_t i = first; i < list.options.size(); ++i) list.options[i].on_resume = kAllowed;
}

List CommonOptions(CommonConfig& config) {
  List list;
  AddModel(list, config.model);
  AddData(list, config.data);
  AddOptimiser(list, config.optimiser, config.schedule);
  AddRun(list, config.run, config.ema);
  AddOutput(list, config.output);
  return list;
}

}  // namespace

AutoencoderConfig::AutoencoderConfig() {
  data.height = 128, data.width = 128, data.frames = 2;
  optimiser.lr = 5e-4, optimiser.weight_decay = 0;
  run.batch = 4;
}

FeaturesConfig::FeaturesConfig() {
  data.height = 64, data.width = 128;
  optimiser.lr = 2e-3, schedule.warmup_steps = 100;
  run.batch = 16;
  output.samples_steps = 0;
}

AdversarialConfig::AdversarialConfig() {
  optimiser.lr = 1.25e-6, optimiser.beta1 = 0.5;
  drop_image_embedding = drop_latent = 0;  // nothing is guided at the end
  run.batch = 4;
  ema.half_life = 54, ema.ramp_up = 0;  // a decay of 0.95 a step of 4 clips
  output.samples_denoise_steps = 1;
}

namespace {

void AddConditioning(List& list, DiffusionConfig& config) {
  list.section = "conditioning";
  list.Number("aug_mean", config.aug_mean, -20, 5, "", "mean of ln of the noise on the first frame's pixels");
  list.Number("aug_std", config.aug_std, 0, 10, "", "standard deviation of that");
  list.Number("drop_image_embedding", config.drop_image_embedding, 0, 1, "",
              "share of clips whose CLIP embedding is zero");
  list.Number("drop_latent", config.drop_latent, 0, 1, "",
              "share of clips whose first-frame latent is zero, drawn independently");
  list.Text("image_encoder", config.image_encoder, {"train", "frozen", "none"},
            "CLIP image encoder: trained along, fixed, or absent (a zero embedding)");
  list.Number("fps_id", config.fps_id, -1, 255, "",
              "the network's frame-rate input; -1: the clip's rate less one");
  list.Number("motion_bucket_id", config.motion_bucket_id, -1, 1023, "",
              "the network's motion input; -1: the clip's own");
}

void AddDiscriminator(List& list, AdversarialConfig& config) {
  list.section = "discriminator";
  list.Text("backbone", config.backbone, {},
            "model folder whose UNet's encoder half it looks through, frozen; empty: model.folder");
  list.Text("taps", config.taps, {"blocks", "layers"},
            "of the backbone: what each down block hands on, or its last layer, before that is halved");
  list.Text("heads", config.heads, {"both", "spatial", "temporal"},
            "what is trained, behind each down block");
  list.Number("width", config.width, 32, 16384, "channels", "of a head, a multiple of 32");
  list.Number("rate", config.rate, 0, 1e6, "", "of its learning rate to optimiser.lr");
  list.Number("level_mean", config.level_mean, -10, 10, "",
              "mean of ln of the noise that it sees clips with");
  list.Number("level_std", config.level_std, 1e-3, 10, "", "standard deviation of that");
  list.Number("level_count", config.level_count, 2, 1e6, "", "levels of the grid that noise is drawn from");
  list.Number("r1", config.r1, 0, 1e6, "", "weight of the penalty on its gradient at real clips; 0: none");
  list.Number("r1_every", config.r1_every, 1, kMany, "steps", "between penalties");
  list.Text("r1_on", config.r1_on, {"features", "input"},
            "gradient by the backbone's features, or, for more memory, by the noised clip");
  list.Number("warmup_steps", config.discriminator_warmup_steps, 0, kMany, "steps",
              "in which the heads alone are trained");
}

void AddPruning(List& list, AdversarialConfig& config) {
  list.section = "pruning";
  list.Text("kind", config.pruning, {"none", "learned", "l1"},
            "of temporal blocks: their importance learnt under the budget, or a penalty on their weights");
  list.Number("keep", config.keep, 1, 4096, "blocks", "that are left at the end");
  list.Number("lr", config.pruning_lr, 0, 1, "", "learning rate of the importances' logits");
  list.Number(
      "draw_steps", config.draw_steps, 0, kMany, "steps",
      "learned: in which blocks are drawn; then the most important ones stay, as after a training so long "
      "that importances reach 0 and 1; 0: drawn to the end");
  list.Number("temperature", config.temperature, 1e-3, 100, "",
              "importance and alpha are sigmoid(logit / this)");
  list.Number("l1", config.l1, 0, 1e6, "", "weight of the sum of 1 - alpha, for kind l1");
}

}  // namespace

std::vector<Option> ListOptions(DiffusionConfig& config) {
  List list = CommonOptions(config);
  list.section = "noise";
  list.Number("p_mean", config.p_mean, -10, 10, "",
              "mean of ln sigma in training (arXiv 2206.00364, table 1)");
  list.Number("p_std", config.p_std, 0, 10, "", "standard deviation of ln sigma");
  AddConditioning(list, config);
  return std::move(list.options);
}

std::vector<Option> ListOptions(AdversarialConfig& config) {
  List list = CommonOptions(config);
  AddConditioning(list, config);
  list.section = "generator";
  list.Number("levels", config.levels, 2, 1000, "",
              "levels of the noise grid; clips are noised to all but the lowest, each as often");
  list.Number("sigma_min", config.sigma_min, 1e-6, 1e6, "", "lowest level of that grid");
  list.Number("sigma_max", config.sigma_max, 1e-6, 1e6, "", "highest level: the one of generation");
  list.Text("frame_noise", config.frame_noise, {"independent", "shared"},
            "of a clip's frames: to each its own, or one for all; the model that comes out tells `generate`");
  list.Number("adversarial", config.adversarial, 0, 1e6, "", "weight of the discriminator's judgement");
  list.Number("pseudo_huber", config.pseudo_huber, 0, 1e6, "", "weight of the distance to the real clip");
  list.Number("huber_c", config.huber_c, -1, 1e9, "",
              "of sqrt(distance^2 + c^2) - c; -1: 0.00054 sqrt(elements of a clip)");
  AddDiscriminator(list, config);
  AddPruning(list, config);
  return std::move(list.options);
}

std::vector<Option> ListOptions(AutoencoderConfig& config) {
  List list = CommonOptions(config);
  list.section = "loss";
  list.Text("part", config.part, {"both", "encoder", "decoder"}, "what is trained");
  list.Number("l1", config.l1, 0, 1e6, "", "weight of the mean absolute error, pixels in [-1,1]");
  list.Number("mse", config.mse, 0, 1e6, "", "weight of the mean squared error");
  list.Number("edges", config.edges, 0, 1e6, "", "weight of the L1 error of Laplacian pyramids: fine detail");
  list.Number("latent_norm", config.latent_norm, 0, 1e6, "", "weight of mean^2 + (std-1)^2 of the latents");
  list.Number("latent_noise", config.latent_noise, 0, 10, "",
              "standard deviation of noise on latents before decoding");
  list.Number(
      "equivariance", config.equivariance, 0, 1e6, "",
      "weight of the squared distance, in variances, of moved latents from those of the moved picture");
  list.Number("adversarial", config.adversarial, 0, 1e6, "",
              "weight of a patch discriminator's judgement, which is trained along; 0: there is none");
  list.Number("adversarial_start", config.adversarial_start, 0, kMany, "samples",
              "before the discriminator begins, so that there is something to judge");
  return std::move(list.options);
}

std::vector<Option> ListOptions(FeaturesConfig& config) {
  List list = CommonOptions(config);
  list.section = "features";
  list.Number("width", config.features, 1, 4096, "", "numbers that describe a clip");
  list.section = "loss";
  list.Number(
      "motion", config.motion, 0, 1e6, "",
      "weight of the squared error of how fast each part of the frame moves, in parts of a bucket's range");
  list.Number("damage", config.damage, 0, 1e6, "",
              "weight of the cross-entropy of what was done to a clip: nothing, stillness, shuffled frames, "
              "grain, blur");
  list.Number("kind", config.kind, 0, 1e6, "", "weight of the cross-entropy of the scene's kind");
  return std::move(list.options);
}

}  // namespace mvd
