#include "mvd/cli/generate_options.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "mvd/base/rng.h"
#include "mvd/engine/bundled_models.h"
#include "mvd/io/json.h"
#include "mvd/media/clip.h"
#include "mvd/sample/resize.h"

namespace mvd::cli {

void DeclareOptions(CLI::App& app, GenerateOptions& o) {
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("images,-i,--image,--init-img,--input_path", o.images,
                 "Pictures, or folders of pictures (" + ImageFormatNames() + ")")
      ->group("Input")
      ->take_all();
  app.add_option("--recipe", o.recipe, "Do again what a clip's recipe says; flags given here win")
      ->group("Input");
  app.add_option("--from-latents", o.from_latents, "Only decode latents that an earlier run kept")
      ->group("Input");
  app.add_option(
         "-m,--model", o.model,
         "Model folder in diffusers' layout, a single file such as svd.safetensors, or a model that comes "
         "with the program; default " +
             std::string(kDefaultModel))
      ->group("Input");
  app.add_flag("--strict", o.strict, kStrictHelp)->group("Input");
  app.add_option("-o,--output", o.output, "File, or folder for several pictures; the extension is the format")
      ->group("Output");
  app.add_option("--format", o.format, ClipFormatNames() + ", latents; for several pictures")
      ->group("Output");
  app.add_flag("--overwrite,-y", o.overwrite, "Replace files that exist")->group("Output");
  app.add_option("--max-memory,--max-ram", o.max_memory,
                 "Largest memory to use, such as 12GB; default: what is available")
      ->group("Execution");
  app.add_flag("--guidance-batching", o.guidance_batching,
               "Both predictions of guidance in one call: more memory, same result")
      ->group("Execution");
  o.VisitRecipe([&](const char* name, auto& value, const char* flags, const char* help) {
    CLI::Option* option = app.add_option(flags, value, help)->group("Clip");
    if (std::string(name) == "seed" || std::is_same_v<std::decay_t<decltype(value)>, std::string>)
      option->capture_default_str();
  });
  const char* group = "Execution";
  app.add_option("--executor", o.exec.executor, "Which executor runs: " + Join(ExecutorNames()))
      ->capture_default_str()
      ->group(group);
  app.add_option("--isa", o.exec.isa, "Highest instruction set to use; doctor lists them")
      ->capture_default_str()
      ->group(group);
  app.add_option("-t,--threads", o.exec.threads, "Threads; 0 uses every processor")
      ->capture_default_str()
      ->group(group);
  app.add_flag("--pin", o.exec.pin, "Bind each thread to one processor")->group(group);
  app.add_option("--skip", o.exec.skip, "Leave out a pass by name (repeatable)")->group(group)->take_all();
}

nlohmann::json MakeRecipe(GenerateOptions options, const Model& model, const std::string& model_hash,
                          const std::string& image) {
  nlohmann::json recipe = {{"program", "mobilevd"},
                           {"version", MVD_VERSION},
                           {"model", options.model.empty() ? model.origin() : options.model},
                           {"model_hash", model_hash},
                           {"image", image}};
  options.VisitRecipe(
      [&](const char* name, auto& value, const char*, const char*) { recipe["options"][name] = value; });
  return recipe;
}

void ApplyRecipe(const CLI::App& app, const std::string& text, const std::string& file, GenerateOptions& o) {
  const nlohmann::json recipe = ParseJson(text, file);
  if (!recipe.is_object() || !recipe.contains("options") || !recipe["options"].is_object()) {
    ThrowBadInput(file, "carries no recipe of mobilevd");
  }
  o.VisitRecipe([&](const char* name, auto& value, const char* flags, const char*) {
    const std::string list(flags), first = list.substr(0, list.find(','));
    if (app.count(first) > 0 || !recipe["options"].contains(name)) return;
    try {
      recipe["options"][name].get_to(value);
    } catch (const nlohmann::json::exception&) {
      ThrowBadInput(file, "recipe key '", name, "' is ", Printable(recipe["options"][name].dump()),
                    ", of another type than expected");
    }
  });
  const bool folder = recipe.contains("model") && recipe["model"].is_string() && o.preset.empty();
  if (app.count("--model") == 0 && folder) o.model = recipe["model"];
  if (o.images.empty() && recipe.contains("image") && recipe["image"].is_string())
    o.images = {recipe["image"]};
}

namespace {

template <class T>
void Default(T& value, T unset, T fallback) {
  if (value == unset) value = fallback;
}

void OneOf(const char* flag, const std::string& value, std::initializer_list<const char*> names) {
  std::string list;
  for (const char* name : names) {
    if (value == name) return;
    list += (list.empty() ? "" : ", ") + std::string(name);
  }
  ThrowUsage(flag, " ", value, ": expected one of ", list);
}

}  // namespace

void Complete(const Model& model, GenerateOptions& o) {
  const ClipDefaults& d = model.defaults();
  Default<int64_t>(o.height, 0, d.height);
  Default<int64_t>(o.width, 0, d.width);
  Default<int64_t>(o.num_frames, 0, d.frames);
  Default<int64_t>(o.steps, 0, d.num_inference_steps);
  Default<double>(o.fps, 0, double(d.fps));
  Default<double>(o.motion_bucket_id, -1, double(d.motion_bucket_id));
  Default<double>(o.noise_aug_strength, -1, d.noise_aug_strength);
  Default<double>(o.min_guidance_scale, -1, d.min_guidance_scale);
  Default<double>(o.max_guidance_scale, -1, d.max_guidance_scale);
  Default<std::string>(o.decoder, "auto", d.decoder);
  Default<std::string>(o.frame_noise, "auto", d.frame_noise);
  const int64_t factor = ScaleFactor(model.configs().vae);
  for (const auto& [flag, size] : {std::pair("--height", o.height), std::pair("--width", o.width)}) {
    if (size % factor != 0)
      ThrowUsage(flag, " ", size, ": expected a multiple of ", factor, ", the model's pixels a latent");
  }
  OneOf("--decoder", o.decoder, {"auto", "full", "tiny"});
  OneOf("--frame-noise", o.frame_noise, {"independent", "shared"});
  OneOf("--fit", o.fit, {"crop", "stretch", "pad"});
  OneOf("--rng", o.rng, {"torch", "philox"});
  if (o.fps < 0.1 || o.fps > 1000) ThrowUsage("--fps ", o.fps, ": expected 0.1 to 1000");
  if (o.seed < -1) ThrowUsage("--seed ", o.seed, ": expected -1 or more");
  if (o.seed == -1) o.seed = int64_t(std::random_device{}());
  o.exec.dtype = std::string(Name(o.exec.Resolve(nullptr).exec.dtype));
}

SvdOptions PipelineOptions(const GenerateOptions& o, int64_t decode_chunk_size) {
  SvdOptions s;
  s.height = o.height;
  s.width = o.width;
  s.num_frames = o.num_frames;
  s.num_inference_steps = o.steps;
  s.fps = o.fps;
  if (o.fps_id >= 0) s.fps_id = o.fps_id;
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
