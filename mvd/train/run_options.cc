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
  for (const char* model : {"model.folder", "model.autoencoder", "model.image_encoder",
                            "discriminator.backbone", "generator.teacher"})
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
  list.Text(
      "folder", model.folder, {},
      "model folder (diffusers' layout) whose weights the run starts from; empty: start from the preset");
  list.Text("preset", model.preset, PresetNames(),
            "architecture to use where folder is empty; its weights are random, drawn from weight_seed");
  list.Text("unet", model.unet, {}, "JSON object or table whose keys replace those of the UNet's config")
      .json = true;
  list.Text("taesd", model.taesd, {},
            "JSON object or table whose keys replace those of the tiny autoencoder's config")
      .json = true;
  list.Text("autoencoder", model.autoencoder, {}, "folder of a trained autoencoder; empty: the model's own");
  list.Text("image_encoder", model.image_encoder, {},
            "folder of the CLIP image encoder; empty: the model's own");
  list.Number("weight_seed", model.weight_seed, 0, kMany, "", "seed of random weights");
  list.Text(
      "start", model.start, {"random", "copy"},
      "how a preset's UNet starts: with random weights, or with weights that return the conditioning image");
}

void AddData(List& list, DataSection& data) {
  list.section = "data";
  list.Text("kind", data.kind, {"synth", "pictures", "shards", "mix"},
            "procedural clips, single frames of photos and scenes, clips that `data prepare` wrote, or "
            "several of these");
  list.Text("folder", data.folder, {}, "folder of shards that `data prepare` wrote").on_resume = kAllowed;
  list.Text(
          "mix", data.mix, {},
          "mix: weight by source, \"synth\" or a folder of shards, whose clips are mirrored half of the time")
      .json = true;
  list.Text("verify", data.verify, {"clips", "shards"},
            "check the hash of each clip's pixels, or also that of each shard file, which is then read whole "
            "when it is first needed")
      .on_resume = kAllowed;
  list.Text(
      "photos", data.photos, {},
      "folder of pictures: pictures trains on them; synth moves them, or drawn textures where this is empty");
  list.Text("latent_cache", data.latent_cache, {},
            "folder that keeps encoded clips; empty: encode each clip every time")
      .on_resume = kAllowed;
  list.Text(
      "heldout", data.heldout, {},
      "shards (for pictures: a folder of photos) for held-out losses and samples; empty: procedural clips "
      "from another seed, for shards too");
  list.Number("clips", data.clips, 0, kMany, "clips",
              "synth: number of different clips, repeated so that cached latents are found; 0: never repeat");
  list.Number("workers", data.workers, 0, 1024, "threads",
              "synth, pictures: threads that prepare clips ahead of the training step; 0: prepare them when "
              "needed")
      .on_resume = kAllowed;
  list.Flag("keep", data.keep, "synth with data.clips: keep finished clips in memory").on_resume = kAllowed;
  list.Number("height", data.height, 8, 8192, "pixels", "height of the clips; a multiple of 8");
  list.Number("width", data.width, 8, 8192, "pixels", "width of the clips; a multiple of 8");
  list.Number("frames", data.frames, 1, 1024, "frames", "length of a clip");
  list.Number("fps", data.fps, 0.1, 240, "frames/s", "frame rate of the clips");
}

void AddOptimiser(List& list, OptimiserSection& optimiser, ScheduleSection& schedule) {
  list.section = "optimiser";
  list.Number("lr", optimiser.lr, 0, 1, "", "learning rate of AdamW (arXiv 1711.05101)").on_resume = kAllowed;
  list.Number("beta1", optimiser.beta1, 0, 0.999999, "", "decay of the first moment");
  list.Number("beta2", optimiser.beta2, 0, 0.99999999, "", "decay of the second moment");
  list.Number("eps", optimiser.eps, 1e-16, 1, "", "added to the square root of the second moment");
  list.Number("weight_decay", optimiser.weight_decay, 0, 10, "",
              "decoupled weight decay: each step multiplies the weights by 1 - lr x weight_decay");
  list.Number("clip_norm", optimiser.clip_norm, 0, 1e9, "",
              "gradient clipping: largest norm of the whole gradient; 0: no clipping");
  list.section = "schedule";
  list.Text("kind", schedule.kind, {"constant", "cosine"}, "shape of the learning rate after the warm-up");
  list.Number("warmup_steps", schedule.warmup_steps, 0, kMany, "steps", "length of the linear warm-up");
  list.Number("min_lr", schedule.min_lr, 0, 1, "", "learning rate of the last step, for cosine").on_resume =
      kAllowed;
}

void AddRun(List& list, RunSection& run, EmaSection& ema) {
  list.section = "run";
  list.Text("out", run.out, {}, "folder of the run, for its checkpoints, logs, samples and model").on_resume =
      kAllowed;
  // As lr and min_lr: a run that was too short goes on, on the curve that they now give.
  list.Number("steps", run.steps, 1, kMany, "steps", "optimiser steps in all").on_resume = kAllowed;
  list.Number("batch", run.batch, 1, 65536, "clips", "clips per micro-batch and process");
  list.Number("accumulation", run.accumulation, 1, 65536, "", "micro-batches per optimiser step");
  list.Number("seed", run.seed, 0, kMany, "", "seed of noise, dropped conditions and data order");
  list.Text("device", run.device, {"cpu", "cuda"}, "where the networks run").on_resume = kAllowed;
  list.Text(
      "precision", run.precision, {"f32", "tf32", "bf16"},
      "type of matrix products; weights, moments, norms and losses stay f32; tf32 has the range of f32 and "
      "a 10-bit mantissa, and is much faster on cuda");
  list.Flag("record", run.record,
            "cuda, diffusion: record a step as a CUDA graph and replay it; speeds up small networks")
      .on_resume = kAllowed;
  list.Number(
          "recompute_segments", run.recompute_segments, 0, 1024, "",
          "segments per network whose activations are recomputed in the backward pass, which saves memory; "
          "0: keep all activations; whatever R1 differentiates is always kept")
      .on_resume = kAllowed;
  list.Flag("deterministic", run.deterministic, "bit-identical results in every run; slower on cuda")
      .on_resume = kAllowed;
  list.Number("threads", run.threads, 0, 4096, "threads", "CPU threads; 0: all").on_resume = kAllowed;
  list.section = "ema";
  list.Number("half_life", ema.half_life, 0, kMany, "samples",
              "half-life of the moving average of the weights; 0: no average");
  list.Number("ramp_up", ema.ramp_up, 0, 100, "",
              "the half-life is at most this share of the samples seen so far; 0: no ramp-up");
}

void AddOutput(List& list, OutputSection& output) {
  const size_t first = list.options.size();
  list.section = "checkpoint";
  list.Number("steps", output.checkpoint_steps, 0, kMany, "steps",
              "steps between checkpoints; 0: not by steps");
  list.Number("minutes", output.checkpoint_minutes, 0, 1e6, "minutes",
              "minutes between checkpoints; 0: not by time");
  list.Number("keep", output.checkpoint_keep, 1, 1e6, "", "number of newest checkpoints to keep");
  list.Number("keep_every", output.checkpoint_keep_every, 0, kMany, "steps",
              "checkpoints at multiples of this step are never deleted; 0: none");
  list.section = "samples";
  list.Number("steps", output.samples_steps, 0, kMany, "steps", "steps between sample clips; 0: never");
  list.Number("count", output.samples_count, 1, 64, "clips",
              "sample clips each time, from fixed pictures and seeds");
  list.Number("denoise_steps", output.samples_denoise_steps, 1, 1000, "steps",
              "denoising steps of a sample clip");
  list.section = "heldout";
  list.Number("steps", output.heldout_steps, 0, kMany, "steps", "steps between held-out losses; 0: never");
  list.Number("clips", output.heldout_clips, 1, 4096, "clips",
              "clips of the held-out loss, with fixed noise");
  list.section = "log";
  list.Flag("tensorboard", output.tensorboard,
            "also write TensorBoard event files; metrics.jsonl is always written");
  list.Number("tensorboard_steps", output.log_steps, 1, kMany, "steps", "steps between TensorBoard scalars");
  list.Flag("nan_guard", output.nan_guard, "stop at the first value that is not finite and name its node");
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
  list.section = "loss";
  list.Number("seen_weight", config.seen_weight, 0, 1, "",
              "with latents that hold motion: weight of what is said of places that the first frame shows");
  list.section = "conditioning";
  list.Number("aug_mean", config.aug_mean, -20, 5, "",
              "mean of the log noise level on the first frame's pixels");
  list.Number("aug_std", config.aug_std, 0, 10, "",
              "standard deviation of the log noise level on the first frame's pixels");
  list.Number("drop_image_embedding", config.drop_image_embedding, 0, 1, "",
              "share of clips whose CLIP embedding is zero");
  list.Number("drop_latent", config.drop_latent, 0, 1, "",
              "share of clips whose first-frame latent is zero, independent of drop_image_embedding");
  list.Text("image_encoder", config.image_encoder, {"train", "frozen", "none"},
            "CLIP image encoder: trained with the UNet, frozen, or absent (a zero embedding)");
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
            "features of the backbone that the heads see: the output of each down block, or of its last "
            "layer before "
            "downsampling");
  list.Text("heads", config.heads, {"both", "spatial", "temporal"},
            "heads that are trained behind each down block");
  list.Number("width", config.width, 32, 16384, "channels", "channels of a head; a multiple of 32");
  list.Number("rate", config.rate, 0, 1e6, "", "its learning rate as a multiple of optimiser.lr");
  list.Number("level_mean", config.level_mean, -10, 10, "",
              "mean of the log noise level of the clips that it sees");
  list.Number("level_std", config.level_std, 1e-3, 10, "",
              "standard deviation of the log noise level of the clips that it sees");
  list.Number("level_count", config.level_count, 2, 1e6, "",
              "levels of the grid from which that noise level is drawn");
  list.Number(
      "r1", config.r1, 0, 1e6, "",
      "weight of R1, the penalty on its gradient at real clips; a penalty that is applied counts r1_every "
      "times (StyleGAN2, arXiv 1912.04958); 0: none");
  list.Number("r1_every", config.r1_every, 1, kMany, "steps", "steps between penalties");
  list.Text("r1_on", config.r1_on, {"features", "input"},
            "what the penalty takes the gradient with respect to: the backbone's features, or the noised "
            "clip, which "
            "needs more memory");
  list.Number("warmup_steps", config.discriminator_warmup_steps, 0, kMany, "steps",
              "first steps, in which only the heads are trained");
}

void AddPruning(List& list, AdversarialConfig& config) {
  list.section = "pruning";
  list.Text("kind", config.pruning, {"none", "learned", "l1"},
            "pruning of temporal blocks: by importances learnt under the budget, or by an L1 penalty on "
            "their weights");
  list.Number("keep", config.keep, 1, 4096, "blocks", "temporal blocks that are kept");
  list.Number("lr", config.pruning_lr, 0, 1, "", "learned: learning rate of the importance logits");
  list.Number("draw_steps", config.draw_steps, 0, kMany, "steps",
              "learned: steps in which the blocks of each step are drawn; after them the most important "
              "blocks stay; 0: "
              "drawn to the end");
  list.Number("temperature", config.temperature, 1e-3, 100, "",
              "importance and alpha are sigmoid(logit / temperature)");
  list.Number("l1", config.l1, 0, 1e6, "", "l1: weight of the sum of 1 - alpha");
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
              "levels of the noise grid; clips are noised to each but the lowest, equally often");
  list.Number("sigma_min", config.sigma_min, 1e-6, 1e6, "", "lowest level of the noise grid");
  list.Number("sigma_max", config.sigma_max, 1e-6, 1e6, "",
              "highest level of the noise grid, from which clips are generated");
  list.Text(
      "frame_noise", config.frame_noise, {"independent", "shared"},
      "noise of a clip's frames: each its own, or one for all, which needs levels 2; the trained model tells "
      "`generate`");
  list.Number("adversarial", config.adversarial, 0, 1e6, "",
              "weight of the discriminator's loss in the generator's");
  list.Number("pseudo_huber", config.pseudo_huber, 0, 1e6, "",
              "weight of the pseudo-Huber distance to the real clip, or to the teacher's");
  list.Text("teacher", config.teacher, {},
            "model folder: the distance is to the clip that it makes from the same noise, in its own steps; "
            "needs levels 2; empty: to the real clip");
  list.Number("huber_c", config.huber_c, -1, 1e9, "",
              "c in sqrt(distance^2 + c^2) - c; -1: 0.00054 sqrt(elements of a clip)");
  AddDiscriminator(list, config);
  AddPruning(list, config);
  return std::move(list.options);
}

std::vector<Option> ListOptions(AutoencoderConfig& config) {
  List list = CommonOptions(config);
  list.section = "loss";
  list.Text("part", config.part, {"both", "encoder", "decoder"}, "halves that are trained");
  list.Number("l1", config.l1, 0, 1e6, "", "weight of the mean absolute error of pixels in [-1,1]");
  list.Number("mse", config.mse, 0, 1e6, "", "weight of the mean squared error");
  list.Number("edges", config.edges, 0, 1e6, "",
              "weight of the L1 error of Laplacian pyramids, which rewards fine detail");
  list.Number("latent_norm", config.latent_norm, 0, 1e6, "", "weight of mean^2 + (std-1)^2 of the latents");
  list.Number("latent_noise", config.latent_noise, 0, 10, "",
              "standard deviation of the noise added to latents before decoding");
  list.Number("equivariance", config.equivariance, 0, 1e6, "",
              "weight of the squared distance between shifted latents and the latents of the shifted "
              "picture, relative to "
              "the latents' variance");
  list.Number("adversarial", config.adversarial, 0, 1e6, "",
              "weight of the loss of a patch discriminator that is trained with it; 0: no discriminator");
  list.Number("adversarial_start", config.adversarial_start, 0, kMany, "samples",
              "samples seen before the discriminator starts");
  return std::move(list.options);
}

std::vector<Option> ListOptions(FeaturesConfig& config) {
  List list = CommonOptions(config);
  list.section = "features";
  list.Number("width", config.features, 1, 4096, "", "number of features that describe a clip");
  list.section = "loss";
  list.Number(
      "motion", config.motion, 0, 1e6, "",
      "weight of the squared error of the speed of each part of the frame, as a fraction of a motion bucket");
  list.Number("damage", config.damage, 0, 1e6, "",
              "weight of the cross-entropy of a clip's damage: none, frozen, shuffled frames, grain, blur");
  list.Number("kind", config.kind, 0, 1e6, "", "weight of the cross-entropy of the kind of scene");
  return std::move(list.options);
}

}  // namespace mvd
