#include "mvd/cli/generate_options.h"

#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>

#include "mvd/base/rng.h"
#include "mvd/engine/bundled_models.h"
#include "mvd/engine/clip_size.h"
#include "mvd/io/json.h"
#include "mvd/media/clip.h"
#include "mvd/sample/resize.h"

namespace mvd::cli {

void DeclareOptions(CLI::App& app, GenerateOptions& o) {
  AddOption(app,
            {.flags = "images",
             .aliases = "-i,--image,--init-img,--input_path",
             .help = "Pictures, or folders of pictures (" + ImageFormatNames() + ")",
             .value = "PATH",
             .group = "Input"},
            o.images);
  AddOption(app,
            {.flags = "--recipe",
             .help = "Repeat what a clip's recipe says; options given here win",
             .value = "FILE",
             .group = "Input"},
            o.recipe);
  AddOption(app,
            {.flags = "--from-latents",
             .help = "Only decode latents that an earlier run kept",
             .value = "FILE",
             .group = "Input"},
            o.from_latents);
  AddOption(app,
            WithHelp(Table().strict,
                     "Fail where the model or the picture is not the recipe's, or where a weight file "
                     "leaves doubts, instead of warning"),
            o.strict);
  OptionSpec model = Table().model;
  model.unset = kDefaultModel;
  AddOption(app, model, o.model);
  AddOption(
      app,
      {.flags = "--output,-o",
       .help = "File, its extension gives the format; or folder that gets a clip for each picture (clips/); "
               "or - for stdout. A PNG sequence is a folder, too: --format png",
       .value = "PATH",
       .group = "Output"},
      o.output);
  AddOption(app, InGroup(ClipFormatOption("Format where the output has no extension", {"latents"}), "Output"),
            o.format);
  AddOption(app, {.flags = "--overwrite,-y", .help = "Replace files that exist", .group = "Output"},
            o.overwrite);
  AddOption(
      app,
      {.flags = "--skip-existing",
       .help = "Leave out clips that are finished, which is what exists: a clip appears when it is whole",
       .group = "Output"},
      o.skip_existing);
  o.VisitRecipe([&](const OptionSpec& spec, auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, uint64_t>) {
      if (&value == &o.seed) {
        AddSeed(app, spec, value, o.random_seed);
        return;
      }
    }
    AddOption(app, spec, value);
  });
  const OptionTable& table = Table();
  AddOption(app, table.executor, o.exec.executor);
  AddOption(app, table.isa, o.exec.isa);
  AddOption(app, table.threads, o.exec.threads);
  AddOption(app, table.pin, o.exec.pin);
  AddOption(app, table.skip, o.exec.skip);
  AddOption(app,
            {.flags = "--max-memory",
             .aliases = "--max-ram",
             .help = "Largest memory to use, such as 12GB",
             .value = "SIZE",
             .unset = "what is available",
             .group = "Execution"},
            o.max_memory);
  AddOption(app,
            {.flags = "--guidance-batching",
             .help = "Both predictions of guidance in one call: more memory, same result",
             .group = "Execution"},
            o.guidance_batching);
}

void ReadRecipeOptions(const nlohmann::json& options, const std::string& file, GenerateOptions& o,
                       const std::function<bool(const OptionSpec&)>& wanted) {
  o.VisitRecipe([&](const OptionSpec& spec, auto& value) {
    if (!wanted(spec) || !options.contains(spec.key)) return;
    const nlohmann::json& given = options[spec.key];
    // Older recipes hold -1 for an fps_id that nobody had given.
    if (spec.key == "fps_id" && given == -1) return SetFromJson(spec, nullptr, file, value);
    // An empty name is what was not given, too: a clip of a model folder has no preset.
    if (given.is_string() && given.get_ref<const std::string&>().empty()) return;
    SetFromJson(spec, given, file, value);
  });
}

namespace {

template <class T>
void Default(T& value, T fallback) {
  if (IsUnset(value)) value = fallback;
}

void DefaultName(std::string& value, const std::string& fallback) {
  if (value == "auto") value = fallback;
}

}  // namespace

void Complete(const Model& model, GenerateOptions& o) {
  const ClipDefaults& d = model.defaults();
  Default<int64_t>(o.num_frames, d.frames);
  Default<int64_t>(o.steps, d.num_inference_steps);
  Default<double>(o.fps, double(d.fps));
  Default<double>(o.motion_bucket_id, double(d.motion_bucket_id));
  Default<double>(o.noise_aug_strength, d.noise_aug_strength);
  Default<double>(o.min_guidance_scale, d.min_guidance_scale);
  Default<double>(o.max_guidance_scale, d.max_guidance_scale);
  DefaultName(o.decoder, d.decoder);
  DefaultName(o.frame_noise, d.frame_noise);
  if (o.random_seed) o.seed = std::random_device{}();
  o.random_seed = false;
  o.exec.dtype = std::string(Name(o.exec.Resolve(nullptr).exec.dtype));
}

void CompleteSize(const Model& model, int64_t picture_height, int64_t picture_width, GenerateOptions& o) {
  const ClipDefaults& d = model.defaults();
  if (MovesPicture(model) && picture_height > 0) {
    // One side that is given decides the other: nothing is cut.
    const FrameSides own = DefaultFrameSize(model, picture_height, picture_width);
    const double aspect = double(picture_width) / double(picture_height);
    const auto even = [](double side) { return std::max<int64_t>(std::llround(side / 2) * 2, 2); };
    if (IsUnset(o.height) && !IsUnset(o.width)) o.height = even(double(o.width) / aspect);
    if (IsUnset(o.width) && !IsUnset(o.height)) o.width = even(double(o.height) * aspect);
    Default<int64_t>(o.height, own.height);
    Default<int64_t>(o.width, own.width);
  }
  Default<int64_t>(o.height, d.height);
  Default<int64_t>(o.width, d.width);
  const int64_t factor = MovesPicture(model) ? 2 : ScaleFactor(model.configs().vae);
  for (const auto& [flag, size] : {std::pair("--height", o.height), std::pair("--width", o.width)}) {
    if (size % factor != 0)
      ThrowUsage(flag, " ", size, ": expected a multiple of ", factor,
                 factor == 2 ? "" : ", the model's pixels per latent");
  }
}

SvdOptions PipelineOptions(const Model& model, const GenerateOptions& o, int64_t decode_chunk_size) {
  const FrameSides network = NetworkSize(model, {o.height, o.width});
  SvdOptions s;
  s.height = network.height, s.width = network.width;
  s.frame_height = o.height, s.frame_width = o.width;
  s.num_frames = o.num_frames;
  s.num_inference_steps = o.steps;
  s.fps = o.fps;
  if (!IsUnset(o.fps_id)) s.fps_id = o.fps_id;
  s.motion_bucket_id = o.motion_bucket_id;
  s.noise_aug_strength = o.noise_aug_strength;
  s.min_guidance_scale = o.min_guidance_scale;
  s.max_guidance_scale = o.max_guidance_scale;
  s.decode_chunk_size = decode_chunk_size;
  s.sampler = o.sampler;
  s.shared_noise = o.frame_noise == kSharedNoise;
  s.guidance_batching = o.guidance_batching;
  CheckSvdOptions(s);
  return s;
}

int64_t ParseBytes(const std::string& text) {
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string unit(result.ptr, text.data() + text.size());
  const std::pair<const char*, double> units[] = {
      {"", 1},    {"B", 1},   {"kB", 1e3},   {"MB", 1e6},      {"GB", 1e9},
      {"G", 1e9}, {"M", 1e6}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}};
  for (const auto& [name, factor] : units) {
    if (result.ec == std::errc() && unit == name && value >= 0 && value * factor < 9e18)
      return int64_t(value * factor);
  }
  ThrowUsage("--max-memory ", text, ": expected a size such as 12GB or 800MiB");
}

}  // namespace mvd::cli
