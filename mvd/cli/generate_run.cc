#include "mvd/cli/generate_run.h"

#include <atomic>
#include <new>

#include "mvd/base/process_end.h"
#include "mvd/base/rng.h"
#include "mvd/base/stopwatch.h"
#include "mvd/cli/generate_latents.h"
#include "mvd/cli/generate_memory.h"
#include "mvd/cli/picture.h"
#include "mvd/engine/clip_size.h"
#include "mvd/media/image.h"

namespace mvd::cli {
namespace fs = std::filesystem;
namespace {

// Time spent since it was made, loading of weights apart.
class StageClock {
 public:
  explicit StageClock(const SvdEngine& engine) : engine_(engine), loaded_(engine.load_seconds()) {}
  double Seconds() const { return watch_.Seconds() - (engine_.load_seconds() - loaded_); }

 private:
  const SvdEngine& engine_;
  double loaded_;
  Stopwatch watch_;
};

// What the clip's recipe says beside the options.
Recipe About(const GenerateRun& run, const Job& job) {
  Recipe about;
  const GenerateOptions& o = run.options;
  about.model = o.model.empty() ? run.model.origin() : ModelForRecipe(o.model);
  about.model_hash = run.model_hash;
  if (!run.latents) {
    about.image = job.image.filename().string();
    about.image_hash = ImageHash(job.image);
  } else if (run.recipe) {
    about.image = run.recipe->image;
    about.image_hash = run.recipe->image_hash;
  }
  return about;
}

void CheckImage(const GenerateRun& run, const Job& job, const Recipe& about) {
  if (!run.recipe || run.latents) return;
  const std::string differs = CompareImage(*run.recipe, job.image.string(), about.image_hash);
  if (differs.empty()) return;
  if (run.options.strict) throw Error(Exit::kBadInput, "", differs);
  run.warn(differs);
}

// The picture is let go before denoising, but for the frame that a decoder moves.
SvdConditioning EncodePicture(const GenerateRun& run, const SizedOptions& sized, const fs::path& image,
                              const SvdComponents& components, const Tensor& noise, Tensor& frame,
                              Seconds& seconds) {
  const GenerateOptions& o = sized.options;
  const Fit fit = *ParseFit(o.fit);
  Picture picture = LoadPicture(image, sized.pipeline, fit, components.moves_picture);
  if (const std::string cut = CropNote(image, o.width, o.height, fit); !cut.empty())
    run.note(image.string() + ": " + cut);
  const StageClock clock(run.engine);
  SvdConditioning conditioning =
      EncodeSvd(components, picture.clip_view(), picture.image, noise, sized.pipeline, run.hooks);
  seconds.encode = clock.Seconds();
  frame = std::move(picture.frame);
  return conditioning;
}

ClipLatents MakeLatents(const GenerateRun& run, const SizedOptions& sized, const fs::path& image,
                        Seconds& seconds) {
  Rng rng(*ParseRngKind(run.options.rng), run.options.seed);
  const ModelConfigs& configs = run.model.configs();
  const SvdNoise noise =
      DrawSvdNoise(rng, sized.pipeline, configs.unet.out_channels, ScaleFactor(configs.vae));
  const SvdComponents components = run.engine.Components(run.hooks.progress);
  ClipLatents result;
  const SvdConditioning conditioning =
      EncodePicture(run, sized, image, components, noise.image, result.picture, seconds);
  const StageClock clock(run.engine);
  result.latents =
      DenoiseSvd(components, conditioning, run.schedule, noise.latents, sized.pipeline, run.hooks);
  seconds.denoise = clock.Seconds();
  return result;
}

void DecodeAndWrite(GenerateRun& run, const SizedOptions& sized, const ClipLatents& latents, const Job& job,
                    const std::string& recipe, Seconds& seconds) {
  const Replace replace = run.options.overwrite ? Replace::kYes : Replace::kNo;
  if (!job.format) return WriteLatents(latents, job.target, recipe, replace);
  const StageClock decode(run.engine);
  const Tensor frames = DecodeSvd(run.engine.Components(run.hooks.progress), latents.latents, sized.pipeline,
                                  run.hooks, latents.picture);
  seconds.decode = decode.Seconds();
  run.engine.Unload();
  const Stopwatch watch;
  const Shape& s = frames.shape();
  WriteClip(FramesFromFloat(frames.f32(), s[0], s[1], s[2], run.options.fps), job.target, *job.format, recipe,
            replace);
  seconds.write = watch.Seconds();
}

// As a shell takes it.
std::string Quoted(const std::string& word) {
  constexpr char kPlain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == word.npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string KeptLine(const GenerateRun& run, const Job& job, const fs::path& kept) {
  const GenerateOptions& o = run.options;
  std::string command = "mobilevd generate --from-latents " + Quoted(kept.string());
  command += o.preset.empty() ? " -m " + Quoted(o.model) : " --preset " + Quoted(o.preset);
  if (!o.format.empty()) command += " --format " + Quoted(o.format);
  if (o.overwrite) command += " -y";
  return StrCat("the latents are kept in ", kept.string(), "; this decodes them: ", command, " -o ",
                Quoted(job.target.string()));
}

fs::path Keep(const GenerateRun& run, const ClipLatents& latents, const Job& job, const std::string& recipe) {
  std::vector<fs::path> folders = run.keep_in;
  if (IsStream(job.target)) return KeepLatents(latents, job.image.stem().string(), folders, recipe);
  const fs::path target = job.target.has_filename() ? job.target : job.target.parent_path();
  folders.insert(folders.begin(), target.parent_path());
  return KeepLatents(latents, target.filename().string(), folders, recipe);
}

// Decodes and writes. Where that fails, or the process is told to end meanwhile, the latents are kept and
// `kept` says where.
void Finish(GenerateRun& run, const SizedOptions& sized, const ClipLatents& latents, const Job& job,
            const std::string& recipe, Seconds& seconds, fs::path& kept) {
  std::atomic<bool> is_end = true;  // until it is called from here, the act below is called by the end
  LastAct keep([&] {
    kept = Keep(run, latents, job, recipe);
    if (is_end) run.last_words(KeptLine(run, job, kept));
  });
  try {
    DecodeAndWrite(run, sized, latents, job, recipe, seconds);
  } catch (const std::exception&) {
    is_end = false;
    try {
      keep.Run();
    } catch (const std::exception& error) {
      run.warn(StrCat("the latents could not be kept: ", error.what()));
    }
    throw;
  }
}

void Make(GenerateRun& run, const Job& job, Outcome& outcome) {
  const double loaded = run.engine.load_seconds();
  const Recipe about = About(run, job);
  CheckImage(run, job, about);
  const SizedOptions sized = SizeOptions(run, job);
  outcome.options = sized.options;
  const std::string recipe = WriteRecipe(sized.options, about);
  if (run.latents) {  // which are in a file already
    DecodeAndWrite(run, sized, *run.latents, job, recipe, outcome.seconds);
  } else {
    const ClipLatents latents = MakeLatents(run, sized, job.image, outcome.seconds);
    Finish(run, sized, latents, job, recipe, outcome.seconds, outcome.latents);
  }
  outcome.seconds.load = run.engine.load_seconds() - loaded;
}

}  // namespace

SizedOptions SizeOptions(const GenerateRun& run, const Job& job) {
  SizedOptions sized{run.options, {}};
  GenerateOptions& o = sized.options;
  // The picture's size counts where the model takes any, and neither option nor latents have said it.
  const bool asks = (IsUnset(o.height) || IsUnset(o.width)) && MovesPicture(run.model);
  const ImageSize picture = asks ? PlanImage(job.image).stored : ImageSize{};
  CompleteSize(run.model, picture.height, picture.width, o);
  sized.pipeline = PipelineOptions(run.model, o, 0);
  const int64_t chunk = ChooseChunk(o, run.engine, sized.pipeline, run.memory_limit);
  sized.pipeline.decode_chunk_size = chunk;
  o.decode_chunk_size = std::to_string(chunk);
  return sized;
}

Outcome MakeClip(GenerateRun& run, const Job& job) {
  Outcome outcome{job, {}, {}, Exit::kOk, "", {}};
  try {
    Make(run, job, outcome);
    return outcome;
  } catch (const Error& error) {
    outcome.exit = error.exit();
    outcome.error = error.what();
  } catch (const std::bad_alloc&) {
    outcome.exit = Exit::kOutOfMemory;
    outcome.error = job.image.string() + ": out of memory";
  } catch (const std::exception& error) {
    outcome.exit = Exit::kInternal;
    outcome.error = job.image.string() + ": internal error: " + error.what();
  }
  if (!outcome.latents.empty()) outcome.error += "; " + KeptLine(run, job, outcome.latents);
  if (outcome.exit == Exit::kCancelled) throw Error(Exit::kCancelled, "", outcome.error);
  return outcome;
}

}  // namespace mvd::cli
