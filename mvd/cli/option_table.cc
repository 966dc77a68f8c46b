#include "mvd/cli/option_table.h"

#include "mvd/cpu/isa.h"
#include "mvd/engine/components.h"
#include "mvd/engine/network.h"
#include "mvd/media/clip.h"
#include "mvd/models/presets.h"
#include "mvd/sample/denoiser.h"

namespace mvd::cli {
namespace {

// No picture has more pixels than the square of this (kMaxPixels in mvd/media/image.h).
constexpr double kMaxSide = 8192;
constexpr const char* kFromModel = "from the model";

template <class Rows>
std::vector<std::string> NamesOf(const Rows& rows, std::vector<std::string> names = {}) {
  for (const auto& row : rows) names.emplace_back(row.name);
  return names;
}

void AddClip(OptionTable& t) {
  t.height = {.key = "height",
              .flags = "--height,-H",
              .help = "Height, a multiple of the model's factor (8 or 16)",
              .value = "PIXELS",
              .least = 8,
              .most = kMaxSide,
              .unset = kFromModel,
              .group = "Clip"};
  t.width = {.key = "width",
             .flags = "--width,-W",
             .help = "Width, a multiple of the model's factor (8 or 16)",
             .value = "PIXELS",
             .least = 8,
             .most = kMaxSide,
             .unset = kFromModel,
             .group = "Clip"};
  t.frames = {.key = "num_frames",
              .flags = "--frames",
              .aliases = "--num-frames,--num_frames,--video-frames,--video_frames",
              .help = "Number of frames",
              .value = "N",
              .least = 1,
              .most = 1024,
              .unset = kFromModel,
              .group = "Clip"};
  t.batch = {
      .flags = "--batch", .help = "Clips per call", .value = "N", .least = 1, .most = 64, .group = "Clip"};
  t.steps = {.key = "steps",
             .flags = "--steps",
             .aliases = "--num-inference-steps,--num_inference_steps,--num_steps",
             .help = "Denoising steps",
             .value = "N",
             .least = 1,
             .most = 1000,
             .unset = kFromModel,
             .group = "Clip"};
  t.fps = {.key = "fps",
           .flags = "--fps",
           .help = "Frames per second; the network is given one less, as in diffusers",
           .value = "RATE",
           .least = 0.1,
           .most = 1000,
           .unset = kFromModel,
           .group = "Clip"};
  t.fps_id = {.key = "fps_id",
              .flags = "--fps-id",
              .aliases = "--fps_id",
              .help = "Frame rate given to the network",
              .value = "RATE",
              .least = 0,
              .most = 1000,
              .unset = "fps - 1",
              .group = "Clip"};
  t.motion_bucket_id = {.key = "motion_bucket_id",
                        .flags = "--motion-bucket-id",
                        .aliases = "--motion_bucket_id,--motion",
                        .help = "Amount of motion; models are trained on 0 to 255",
                        .value = "X",
                        .least = 0,
                        .most = 1000,
                        .unset = "from the model, 127 for SVD",
                        .group = "Clip"};
  t.noise_aug_strength = {.key = "noise_aug_strength",
                          .flags = "--noise-aug-strength",
                          .aliases = "--noise_aug_strength,--cond-aug,--cond_aug,--augmentation-level",
                          .help = "Noise added to the picture",
                          .value = "X",
                          .least = 0,
                          .most = 10,
                          .unset = "from the model, 0.02 for SVD",
                          .group = "Clip"};
  t.min_guidance_scale = {.key = "min_guidance_scale",
                          .flags = "--min-guidance-scale",
                          .aliases = "--min_guidance_scale",
                          .help = "Guidance of the first frame",
                          .value = "X",
                          .least = 0,
                          .most = 100,
                          .unset = "from the model, 1 for SVD",
                          .group = "Clip"};
  t.max_guidance_scale = {.key = "max_guidance_scale",
                          .flags = "--max-guidance-scale",
                          .aliases = "--max_guidance_scale,--cfg-scale,--guidance-scale",
                          .help = "Guidance of the last frame; 1 switches guidance off and halves the work",
                          .value = "X",
                          .least = 0,
                          .most = 100,
                          .unset = "from the model, 3 for SVD",
                          .group = "Clip"};
  t.decode_chunk_size = {.key = "decode_chunk_size",
                         .flags = "--decode-chunk-size",
                         .aliases = "--decode_chunk_size,--decoding-t,--decoding_t",
                         .help =
                             "Frames decoded together, which affects the result; auto: as many as fit "
                             "in memory",
                         .value = "N",
                         .least = 1,
                         .most = 1024,
                         .choices = {"auto"},
                         .group = "Clip"};
  t.decoder = {.key = "decoder",
               .flags = "--decoder",
               .help = "Decoder: the model's choice, its own, or TAESD",
               .value = "NAME",
               .choices = {"auto", "full", "tiny"},
               .group = "Clip"};
  t.sampler = {.key = "sampler",
               .flags = "--sampler",
               .help = "Sampler",
               .value = "NAME",
               .choices = NamesOf(Samplers()),
               .group = "Clip"};
  t.frame_noise = {.key = "frame_noise",
                   .flags = "--frame-noise",
                   .help = "Initial noise of the frames; auto: as the model was trained",
                   .value = "NAME",
                   .choices = {"auto", "independent", "shared"},
                   .group = "Clip"};
  t.fit = {.key = "fit",
           .flags = "--fit",
           .help = "How a picture of another shape is fitted; diffusers stretches",
           .value = "NAME",
           .choices = {"crop", "stretch", "pad"},
           .group = "Clip"};
  t.rng = {.key = "rng",
           .flags = "--rng",
           .help = "Random numbers; torch: those of torch.manual_seed on the CPU",
           .value = "NAME",
           .choices = {"torch", "philox"},
           .group = "Clip"};
  t.seed = {.key = "seed",
            .flags = "--seed,-s",
            .help = "Seed, 0 to 2^64-1; random: draws one and reports it",
            .value = "N|random",
            .group = "Clip"};
}

void AddModel(OptionTable& t) {
  t.model = {
      .key = "model",
      .flags = "--model,-m",
      .help =
          "Model folder in diffusers' layout, a single file such as svd.safetensors, or the name of a model "
          "that comes with the program",
      .value = "MODEL",
      .group = "Model"};
  t.preset = {.key = "preset",
              .flags = "--preset",
              .help = "Random weights of a known architecture instead of a model",
              .value = "NAME",
              .choices = PresetNames(),
              .group = "Model"};
  t.strict = {.flags = "--strict",
              .help = "Fail where a weight file leaves doubts, instead of warning",
              .group = "Model"};
  t.weight_seed = {.key = "weight_seed",
                   .flags = "--weight-seed",
                   .help = "Seed of a preset's random weights",
                   .value = "N",
                   .group = "Model"};
  t.component = {
      .flags = "--component", .help = "Component", .value = "NAME", .choices = NamesOf(Components())};
}

void AddExecution(OptionTable& t) {
  t.executor = {.flags = "--executor",
                .help = "Which executor runs the network",
                .value = "NAME",
                .choices = ExecutorNames(),
                .group = "Execution"};
  t.dtype = {.key = "dtype",
             .flags = "--dtype",
             .aliases = "--precision",
             .help = "Type of weights and activations; auto: bf16 where the processor computes it, else f32",
             .value = "NAME",
             .choices = {"auto", "f32", "bf16"},
             .group = "Execution"};
  t.isa = {.flags = "--isa",
           .help = "Highest instruction set to use; `mobilevd doctor` shows which this processor has",
           .value = "NAME",
           .choices = NamesOf(IsaLevels(), {"auto"}),
           .group = "Execution"};
  t.threads = {.flags = "--threads,-t",
               .help = "Threads; 0: one per processor",
               .value = "N",
               .least = 0,
               .most = 1024,
               .group = "Execution"};
  t.pin = {.flags = "--pin", .help = "Bind each thread to one processor", .group = "Execution"};
  t.skip = {.flags = "--skip",
            .help = "Leave out a graph pass; repeatable; `mobilevd explain` lists them",
            .value = "PASS",
            .group = "Execution"};
}

void AddFiles(OptionTable& t) {
  t.output_folder = {.flags = "--output,-o", .help = "Folder to write, new or empty", .value = "FOLDER"};
  t.weight_dtype = {
      .flags = "--dtype", .help = "Type of the weights", .value = "NAME", .choices = {"f32", "bf16", "f16"}};
  t.force = {.flags = "--force", .help = "Write into a folder that is not empty"};
}

OptionTable MakeTable() {
  OptionTable table;
  AddModel(table);
  AddClip(table);
  AddExecution(table);
  AddFiles(table);
  return table;
}

}  // namespace

const OptionTable& Table() {
  static const OptionTable table = MakeTable();
  return table;
}

OptionSpec ClipFormatOption(std::string help, std::vector<std::string> more) {
  std::vector<std::string> names = NamesOf(ClipFormats());
  names.insert(names.end(), more.begin(), more.end());
  return {.flags = "--format", .help = std::move(help), .value = "NAME", .choices = names};
}

OptionSpec WithHelp(OptionSpec spec, std::string help) {
  spec.help = std::move(help);
  return spec;
}

OptionSpec Required(OptionSpec spec) {
  spec.required = true;
  return spec;
}

OptionSpec InGroup(OptionSpec spec, std::string group) {
  spec.group = std::move(group);
  return spec;
}

}  // namespace mvd::cli
