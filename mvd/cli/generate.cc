// generate: a picture, or many, each to a clip. Stages can fail apart: latents outlive a decoder that does
// not fit, and one picture's failure does not take the others with it.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <new>

#include "mvd/base/rng.h"
#include "mvd/base/stopwatch.h"
#include "mvd/cli/command.h"
#include "mvd/cli/generate_options.h"
#include "mvd/cli/picture.h"
#include "mvd/cli/terminal.h"
#include "mvd/engine/bundled_models.h"
#include "mvd/engine/svd_engine.h"
#include "mvd/io/safetensors.h"
#include "mvd/media/clip.h"
#include "mvd/media/image.h"
#include "mvd/sample/guidance.h"

namespace mvd::cli {
namespace fs = std::filesystem;
namespace {

constexpr char kLatentsName[] = "latents";

struct Seconds {
  double load = 0, encode = 0, denoise = 0, decode = 0, write = 0;
};

struct Job {
  fs::path image, target;
};

// Everything one run shares over its pictures.
struct Run {
  Session& session;
  GenerateOptions options;
  const Model& model;
  std::string model_hash;
  SvdOptions pipeline;
  SvdEngine& engine;
  StatusLine& status;
  Schedule schedule;
  SampleHooks hooks;
};

bool WantsLatents(const fs::path& target) { return target.extension() == ".safetensors"; }

std::vector<fs::path> ListInputs(const std::vector<std::string>& given) {
  std::vector<fs::path> images;
  for (const std::string& name : given) {
    if (!fs::exists(name)) ThrowNotFound(name);
    if (!fs::is_directory(name)) {
      images.emplace_back(name);
      continue;
    }
    const auto found = ListImages(name);
    if (found.empty()) ThrowBadInput(name, "holds no pictures (", ImageFormatNames(), ")");
    images.insert(images.end(), found.begin(), found.end());
  }
  return images;
}

std::string ExtensionOf(const std::string& format) {
  if (format.empty()) return mvd::ExtensionOf(DefaultClipFormat());
  if (format == kLatentsName) return ".safetensors";
  const ClipFormat* row = FindClipFormat(format);
  if (!row) ThrowUsage("--format ", format, ": expected one of ", ClipFormatNames(), ", ", kLatentsName);
  return mvd::ExtensionOf(*row);
}

// One picture goes to the file named; several go to a folder, each under its own name.
std::vector<Job> PlanJobs(const GenerateOptions& o, const std::vector<fs::path>& images) {
  std::vector<Job> jobs;
  const bool folder = images.size() > 1 || (!o.output.empty() && fs::is_directory(o.output));
  for (const fs::path& image : images) {
    fs::path target =
        o.output.empty() ? fs::path(image.stem().string() + ExtensionOf(o.format)) : fs::path(o.output);
    if (folder && !o.output.empty())
      target = fs::path(o.output) / (image.stem().string() + ExtensionOf(o.format));
    if (!WantsLatents(target)) {
      const ClipFormat* format = FindClipFormat(o.format.empty() ? target.string() : o.format);
      if (!format)
        ThrowUsage("-o ", target.string(), ": the extension is none of ", ClipFormatNames(), ", safetensors");
      CheckCanWrite(*format);
    }
    for (const Job& job : jobs) {
      if (job.target == target)
        ThrowUsage(job.image.string(), " and ", image.string(), " would both be written to ",
                   target.string());
    }
    if (fs::exists(target) && !o.overwrite && !(fs::is_directory(target) && fs::is_empty(target))) {
      ThrowUsage(target.string(), " exists; -y replaces it");
    }
    jobs.push_back({image, target});
  }
  if (folder && !o.output.empty()) fs::create_directories(o.output);
  return jobs;
}

// What reading the largest picture holds, and what remains of it while it is encoded. A picture that cannot
// be read fails alone, later.
struct PictureMemory {
  int64_t reading = 0, kept = 0;
};
PictureMemory PlanPictures(const GenerateOptions& o, const std::vector<Job>& jobs) {
  PictureMemory most;
  if (!o.from_latents.empty()) return most;
  for (const Job& job : jobs) {
    try {
      const PictureBytes bytes = PlanPicture(job.image, o.width, o.height, *ParseFit(o.fit));
      most.reading = std::max(most.reading, bytes.reading);
      most.kept = std::max(most.kept, bytes.kept);
    } catch (const Error&) {
    }
  }
  return most;
}

// The frames as floats and as bytes, and what the formats' libraries hold.
int64_t WriteBytes(const GenerateOptions& o, const std::vector<Job>& jobs) {
  int64_t most = 0;
  for (const Job& job : jobs) {
    const ClipFormat* format = FindClipFormat(o.format.empty() ? job.target.string() : o.format);
    if (format && !WantsLatents(job.target))
      most = std::max(most, EncoderBytes(*format, o.width, o.height, o.num_frames));
  }
  return most + 15 * o.width * o.height * o.num_frames;
}

// Announced before anything is loaded: the process as it stands, and the largest stage.
int64_t AnnounceMemory(const std::vector<StageMemory>& stages, int64_t limit, StatusLine& status) {
  const StageMemory* largest = &stages[0];
  for (const StageMemory& stage : stages) {
    if (stage.total() > largest->total()) largest = &stage;
  }
  const int64_t bytes = largest->total() + ResidentBytes();
  status.Note("memory: " + FormatBytes(double(bytes)) + " at most, in " + largest->component + " (weights " +
              FormatBytes(double(largest->plan.weight_bytes)) + ", activations " +
              FormatBytes(double(largest->plan.activation_bytes)) + ", pictures and frames " +
              FormatBytes(double(largest->beside_bytes)) + ")");
  if (limit > 0 && bytes > limit) {
    throw Error(Exit::kOutOfMemory, "",
                StrCat("this needs ", FormatBytes(double(bytes)), " of memory, ", FormatBytes(double(limit)),
                       " are allowed: take a smaller picture or size, fewer frames or --decode-chunk-size"));
  }
  return bytes;
}

// Warnings where SVD is known to give poor clips; the run goes on.
void WarnOfRanges(const GenerateOptions& o, StatusLine& status) {
  if (o.motion_bucket_id > 255)
    status.Note("warning: --motion-bucket-id above 255 is outside what SVD was trained on");
  if (o.fps < 5 || o.fps > 30)
    status.Note("warning: --fps outside 5 to 30 is outside what SVD was trained on");
  if (o.height % 64 || o.width % 64)
    status.Note("warning: sizes that are no multiples of 64 give weaker clips");
}

// The picture is let go before denoising.
SvdConditioning EncodePicture(Run& run, const fs::path& image, const SvdComponents& components,
                              const Tensor& noise, Seconds& seconds) {
  const Picture picture =
      LoadPicture(image, run.options.width, run.options.height, *ParseFit(run.options.fit));
  const Stopwatch watch;
  const double loaded = run.engine.load_seconds();
  SvdConditioning conditioning =
      EncodeSvd(components, picture.clip_view(), picture.image, noise, run.pipeline, run.hooks);
  seconds.encode = watch.Seconds() - (run.engine.load_seconds() - loaded);
  return conditioning;
}

Tensor MakeLatents(Run& run, const fs::path& image, Seconds& seconds) {
  Rng rng(*ParseRngKind(run.options.rng), uint64_t(run.options.seed));
  const SvdNoise noise = DrawSvdNoise(rng, run.pipeline, run.model.configs().unet.out_channels,
                                      ScaleFactor(run.model.configs().vae));
  const SvdComponents components = run.engine.Components(run.status.AsProgress());
  const SvdConditioning conditioning = EncodePicture(run, image, components, noise.image, seconds);
  const Stopwatch watch;
  const double loaded = run.engine.load_seconds();
  Tensor latents = DenoiseSvd(components, conditioning, run.schedule, noise.latents, run.pipeline, run.hooks);
  seconds.denoise = watch.Seconds() - (run.engine.load_seconds() - loaded);
  return latents;
}

// Latents in the file's layout, (1,T,4,h,w), with the recipe.
void WriteLatents(const Tensor& latents, const fs::path& target, const std::string& recipe) {
  const Tensor first = ToChannelsFirst(latents);
  WriteSafetensors(target, {{kLatentsName, first.view()}}, {{kRecipeKey, recipe}});
}

Tensor ReadLatents(const fs::path& path, const Model& model, GenerateOptions& o) {
  const SafetensorsFile file = SafetensorsFile::Open(path);
  const Tensor stored = ConvertTo(file.Get(kLatentsName), DType::kF32);
  const int64_t channels = model.configs().unet.out_channels;
  if (stored.shape().rank() != 5 || stored.shape()[0] != 1 || stored.shape()[2] != channels ||
      stored.elements() == 0) {
    ThrowBadInput(path.string(), "tensor '", kLatentsName, "' has shape ", stored.shape(), ", expected (1,T,",
                  channels, ",h,w)");
  }
  o.num_frames = stored.shape()[1];
  o.height = stored.shape()[3] * ScaleFactor(model.configs().vae);
  o.width = stored.shape()[4] * ScaleFactor(model.configs().vae);
  return ToChannelsLast(stored);
}

// Decodes and writes; where that fails, the latents are kept beside the target and the error says where.
void Finish(Run& run, const Tensor& latents, const Job& job, Seconds& seconds) {
  const std::string recipe = MakeRecipe(run.options, run.model, run.model_hash, job.image.string()).dump();
  if (WantsLatents(job.target)) return WriteLatents(latents, job.target, recipe);
  try {
    const SvdComponents components = run.engine.Components(run.status.AsProgress());
    Stopwatch watch;
    const double loaded = run.engine.load_seconds();
    const Tensor frames = DecodeSvd(components, latents, run.pipeline, run.hooks);
    seconds.decode = watch.Seconds() - (run.engine.load_seconds() - loaded);
    run.engine.Unload();
    watch = {};
    const Shape& s = frames.shape();
    const Clip clip = FramesFromFloat(frames.f32(), s[0], s[1], s[2], run.options.fps);
    const ClipFormat* format =
        FindClipFormat(run.options.format.empty() ? job.target.string() : run.options.format);
    WriteClip(clip, job.target, *format, recipe);
    seconds.write = watch.Seconds();
  } catch (const std::exception& error) {
    const fs::path kept = job.target.string() + ".latents.safetensors";
    WriteLatents(latents, kept, recipe);
    run.status.Note("latents kept in " + kept.string() + "; generate --from-latents decodes them");
    throw;
  }
}

nlohmann::json Summary(const Run& run, const Job& job, const Seconds& s) {
  return {{"image", job.image.string()},
          {"path", job.target.string()},
          {"frames", run.options.num_frames},
          {"width", run.options.width},
          {"height", run.options.height},
          {"fps", run.options.fps},
          {"seed", run.options.seed},
          {"seconds",
           {{"load", s.load},
            {"encode", s.encode},
            {"denoise", s.denoise},
            {"decode", s.decode},
            {"write", s.write}}}};
}

struct Failure {
  std::string image, error;
  Exit exit;
};

// One picture from start to end. Nothing where it failed and others may go on; a cancellation is never passed
// over.
std::optional<nlohmann::json> MakeOne(Run& run, const Job& job, std::vector<Failure>& failures) {
  Seconds seconds;
  const double loaded = run.engine.load_seconds();
  try {
    const Tensor latents = run.options.from_latents.empty() ? MakeLatents(run, job.image, seconds)
                                                            : ReadLatents(job.image, run.model, run.options);
    Finish(run, latents, job, seconds);
  } catch (const Error& error) {
    if (error.exit() == Exit::kCancelled) throw;
    failures.push_back({job.image.string(), error.what(), error.exit()});
    return std::nullopt;
  } catch (const std::bad_alloc&) {
    failures.push_back({job.image.string(), "out of memory", Exit::kOutOfMemory});
    return std::nullopt;
  }
  seconds.load = run.engine.load_seconds() - loaded;
  run.status.Note(job.target.string() + ": " + std::to_string(run.options.num_frames) + " frames, seed " +
                  std::to_string(run.options.seed) + "; load " + FormatSeconds(seconds.load) + ", encode " +
                  FormatSeconds(seconds.encode) + ", denoise " + FormatSeconds(seconds.denoise) +
                  ", decode " + FormatSeconds(seconds.decode) + ", write " + FormatSeconds(seconds.write));
  return Summary(run, job, seconds);
}

int64_t ChooseChunk(const GenerateOptions& o, const SvdEngine& engine, const SvdOptions& pipeline,
                    int64_t limit) {
  if (o.decode_chunk_size != "auto") {
    char* end = nullptr;
    const long value = std::strtol(o.decode_chunk_size.c_str(), &end, 10);
    if (*end || value < 1 || value > 1024)
      ThrowUsage("--decode-chunk-size ", o.decode_chunk_size, ": expected auto or 1 to 1024");
    return value;
  }
  const int64_t allowed = limit > 0 ? limit : SystemMemoryBytes("MemAvailable:");
  return engine.FitDecodeChunk(pipeline, allowed - ResidentBytes());
}

Exit Report(Session& session, const std::vector<nlohmann::json>& done, const std::vector<Failure>& failures,
            size_t jobs, int64_t planned) {
  nlohmann::json failed = nlohmann::json::array();
  for (const Failure& f : failures) {
    failed.push_back({{"image", f.image}, {"error", f.error}});
    std::fprintf(stderr, "mobilevd: %s\n", f.error.c_str());
  }
  if (session.json) {
    std::cout << nlohmann::json{{"outputs", done},
                                {"failed", failed},
                                {"memory", {{"planned_bytes", planned}, {"peak_bytes", PeakResidentBytes()}}}}
                     .dump()
              << "\n";
  } else {
    for (const auto& output : done) std::printf("%s\n", output["path"].get<std::string>().c_str());
  }
  if (failures.empty()) return Exit::kOk;
  return jobs == 1 ? failures[0].exit : Exit::kPartial;
}

Exit Generate(Session& session, GenerateOptions o, const CLI::App& app) {
  if (!o.recipe.empty()) {
    const auto recipe = fs::path(o.recipe).extension() == ".json"
                            ? std::optional(ReadFile(o.recipe, kMaxJsonBytes))
                            : ReadRecipe(o.recipe);
    if (!recipe) ThrowBadInput(o.recipe, "carries no recipe");
    ApplyRecipe(app, *recipe, o.recipe, o);
  }
  if (!o.from_latents.empty()) o.images = {o.from_latents};
  if (o.images.empty()) ThrowUsage("a picture is needed: mobilevd generate photo.jpg");
  StatusLine status(session.quiet);
  if (o.model.empty() && o.preset.empty()) {
    o.model = kDefaultModel;
    status.Note("no --model: the small one that comes with the program, " + o.model);
  }
  if (!o.model.empty() && !o.preset.empty()) ThrowUsage("--model and --preset exclude each other");
  const std::vector<Job> jobs = PlanJobs(o, ListInputs(o.images));
  NetworkOptions network = o.exec.Resolve(session.cancel);
  const fs::path folder = o.preset.empty() ? FindModel(o.model) : fs::path();
  const Model model = o.preset.empty() ? Model::Open(folder)
                                       : Model::Random(FindPreset(o.preset), uint64_t(o.weight_seed),
                                                       network.exec.dtype, network.exec.threads);
  Complete(model, o);
  if (!o.from_latents.empty()) ReadLatents(o.from_latents, model, o);  // for its sizes
  WarnOfRanges(o, status);
  SvdEngine engine(model, network,
                   o.decoder == "tiny"   ? DecoderKind::kTiny
                   : o.decoder == "full" ? DecoderKind::kFull
                                         : DecoderKind::kAuto);
  const int64_t limit = o.max_memory.empty() ? 0 : ParseBytes(o.max_memory);
  SvdOptions pipeline = PipelineOptions(o, 0);
  pipeline.decode_chunk_size = ChooseChunk(o, engine, pipeline, limit);
  o.decode_chunk_size = std::to_string(pipeline.decode_chunk_size);
  const PictureMemory pictures = PlanPictures(o, jobs);
  std::vector<StageMemory> stages = engine.Plan(pipeline, pictures.kept);
  stages.push_back({"reading of the picture", {}, pictures.reading});
  stages.push_back({"writing of the clip", {}, WriteBytes(o, jobs)});
  const int64_t planned = AnnounceMemory(stages, limit, status);
  Run run{session,
          o,
          model,
          o.preset.empty() ? ModelHash(folder, network.exec.threads) : "",
          pipeline,
          engine,
          status,
          MakeSchedule(model.scheduler(), o.steps, model.scheduler_file()),
          {session.cancel, status.AsProgress()}};
  std::vector<nlohmann::json> done;
  std::vector<Failure> failures;
  for (const Job& job : jobs) {
    if (auto summary = MakeOne(run, job, failures)) done.push_back(std::move(*summary));
  }
  status.Clear();
  return Report(session, done, failures, jobs.size(), planned);
}

}  // namespace

Runner DeclareGenerate(CLI::App& app) {
  auto o = std::make_shared<GenerateOptions>();
  DeclareOptions(app, *o);
  return [o, &app](Session& session) { return Generate(session, *o, app); };
}

}  // namespace mvd::cli
