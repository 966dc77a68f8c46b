// generate: a picture, or many, each to a clip.
#include <cstdio>
#include <filesystem>

#include "mvd/cli/command.h"
#include "mvd/cli/generate_latents.h"
#include "mvd/cli/generate_memory.h"
#include "mvd/cli/generate_options.h"
#include "mvd/cli/generate_plan.h"
#include "mvd/cli/generate_recipe.h"
#include "mvd/cli/generate_report.h"
#include "mvd/cli/generate_run.h"
#include "mvd/cli/generate_targets.h"
#include "mvd/cli/output.h"
#include "mvd/cli/terminal.h"
#include "mvd/engine/bundled_models.h"
#include "mvd/engine/clip_size.h"
#include "mvd/media/sidecar.h"

namespace mvd::cli {
namespace fs = std::filesystem;
namespace {

// Warnings where a model is known to give poor clips; the run goes on.
void WarnOfRanges(const Model& model, const GenerateOptions& o, const Say& warn) {
  if (o.motion_bucket_id > 255) warn("--motion-bucket-id above 255 is outside what SVD was trained on");
  if (o.fps < 5 || o.fps > 30) warn("--fps outside 5 to 30 is outside what SVD was trained on");
  if (MovesPicture(model)) {
    if (o.num_frames != model.defaults().frames)
      warn(StrCat("--frames ", o.num_frames, ": the model was trained for ", model.defaults().frames));
    return;  // it takes any size
  }
  const auto odd = [](int64_t side) { return !IsUnset(side) && side % 64 != 0; };
  if (odd(o.height) || odd(o.width)) warn("sizes that are no multiples of 64 give weaker clips");
}

// The recipe that this run starts from, applied to the options; nothing without one.
std::optional<Recipe> TakeRecipe(const CLI::App& app, GenerateOptions& o, GenerateReport& report) {
  if (!o.from_latents.empty() && !o.recipe.empty())
    ThrowUsage("--from-latents and --recipe exclude each other: latents have a recipe of their own");
  std::optional<Recipe> recipe;
  if (!o.from_latents.empty()) {
    if (!o.images.empty()) ThrowUsage("--from-latents and a picture exclude each other");
    o.images = {o.from_latents};
    const std::string text = ReadLatentsRecipe(o.from_latents);
    if (text.empty()) return recipe;
    recipe = ParseRecipe(text, o.from_latents);
    report.overridden = ApplyRecipeOfLatents(app, *recipe, o);
  } else if (!o.recipe.empty()) {
    recipe = ReadRecipeFile(o.recipe);
    report.overridden = ApplyRecipe(app, *recipe, o);
    if (o.images.empty()) o.images = {FindImage(*recipe).string()};
  }
  if (recipe) report.recipe = recipe->file;
  return recipe;
}

void NoteRecipe(const GenerateReport& report, const Say& note) {
  if (report.recipe.empty()) return;
  std::string line = report.recipe + ": options from its recipe";
  for (const std::string& key : report.overridden)
    line += (&key == report.overridden.data() ? ", but from the command line " : ", ") + key;
  note(line);
}

// Everything besides the pictures that a run opens.
std::vector<fs::path> OtherFilesRead(const GenerateOptions& o, const fs::path& model) {
  std::vector<fs::path> files = FilesOfModel(model);
  if (!o.recipe.empty()) {
    files.emplace_back(o.recipe);
    files.push_back(SidecarOf(o.recipe));
  }
  if (!o.from_latents.empty()) files.emplace_back(o.from_latents);
  return files;
}

// A recipe says a model's name and not where it is.
fs::path FindModelOf(const GenerateOptions& o, const std::optional<Recipe>& recipe) {
  if (!o.preset.empty()) return {};
  try {
    return FindModel(o.model);
  } catch (const Error& error) {
    if (error.exit() != Exit::kNotFound || !recipe || recipe->model != o.model) throw;
    throw Error(Exit::kNotFound, recipe->file,
                StrCat("the model of its recipe, '", o.model, "', is not here; give its folder with -m"));
  }
}

DecoderKind ParseDecoder(const std::string& name) {
  return name == "tiny" ? DecoderKind::kTiny : name == "full" ? DecoderKind::kFull : DecoderKind::kAuto;
}

// Where latents go if the target's folder does not take them.
std::vector<fs::path> FoldersForLatents() {
  std::error_code code;
  const fs::path temporary = fs::temp_directory_path(code);
  return code ? std::vector<fs::path>{""} : std::vector<fs::path>{temporary, ""};
}

// Sizes are those of the latents, whatever a recipe says.
ClipLatents OpenLatents(const Model& model, GenerateOptions& o) {
  const bool moves = MovesPicture(model);
  ClipLatents clip = ReadLatents(o.from_latents, model.configs().unet.out_channels, moves);
  o.num_frames = clip.latents.shape()[1];
  o.height = moves ? clip.picture.shape()[1] : clip.latents.shape()[2] * ScaleFactor(model.configs().vae);
  o.width = moves ? clip.picture.shape()[2] : clip.latents.shape()[3] * ScaleFactor(model.configs().vae);
  return clip;
}

void CheckModelOfRecipe(const GenerateRun& run) {
  if (!run.recipe) return;
  const std::string differs = CompareModel(*run.recipe, run.model_hash);
  if (differs.empty()) return;
  if (run.options.strict) throw Error(Exit::kBadInput, "", differs);
  run.warn(differs);
}

class Generation {
 public:
  Generation(Session& session, GenerateOptions options, const CLI::App& app)
      : session_(session), o_(std::move(options)), app_(app), status_(session.quiet) {}

  Exit Run();

 private:
  void AnnounceMemory(const Plan& plan, const GenerateRun& run);
  void MakeClips(const Plan& plan, const fs::path& folder, const Model& model, const NetworkOptions& network);

  Session& session_;
  GenerateOptions o_;
  const CLI::App& app_;
  StatusLine status_;
  GenerateReport report_;
  std::optional<Recipe> recipe_;
  Say note_ = [this](const std::string& line) { status_.Note(line); };
  Say warn_ = [this](const std::string& line) {
    status_.Warn(line);
    report_.warnings.push_back(line);
  };
};

void Generation::AnnounceMemory(const Plan& plan, const GenerateRun& run) {
  std::vector<PlannedClip> clips;
  for (const Job& job : plan.jobs) {
    try {
      SizedOptions sized = SizeOptions(run, job);
      clips.push_back({job, std::move(sized.options), std::move(sized.pipeline)});
    } catch (const Error& error) {
      if (error.exit() != Exit::kBadInput && error.exit() != Exit::kNotFound) throw;  // it fails alone, later
    }
  }
  const AnnouncedMemory memory = PlanMemory(clips, run.engine, run.memory_limit);
  report_.planned_bytes = memory.bytes;
  if (!memory.line.empty()) note_(memory.line);
}

Exit Generation::Run() {
  recipe_ = TakeRecipe(app_, o_, report_);
  if (o_.images.empty()) ThrowUsage("a picture is needed: mobilevd generate photo.jpg");
  if (!o_.model.empty() && !o_.preset.empty()) ThrowUsage("--model and --preset exclude each other");
  const PlanRequest request{o_.images, o_.output, o_.format, o_.overwrite, o_.skip_existing};
  CheckStdout(request, session_.json);
  const Plan plan = PlanJobs(request);
  report_.skipped = plan.skipped;
  NoteRecipe(report_, note_);
  for (const Job& job : plan.skipped) note_(job.target.string() + ": is there already, skipped");
  if (!plan.jobs.empty()) {
    if (o_.model.empty() && o_.preset.empty()) {
      o_.model = kDefaultModel;
      note_("no --model: the small one that comes with the program, " + o_.model);
    }
    const NetworkOptions network = o_.exec.Resolve(session_.cancel);
    const fs::path folder = FindModelOf(o_, recipe_);
    const Model model = o_.preset.empty() ? Model::Open(folder)
                                          : Model::Random(FindPreset(o_.preset), o_.weight_seed,
                                                          network.exec.dtype, network.exec.threads);
    TellDoubts(model, o_.strict, warn_);
    if (!model.Assumed().empty()) note_(model.origin() + ": " + model.Assumed());
    MakeClips(plan, folder, model, network);
  }
  status_.Clear();
  return PrintReport(session_, report_);
}

void Generation::MakeClips(const Plan& plan, const fs::path& folder, const Model& model,
                           const NetworkOptions& network) {
  std::optional<ClipLatents> latents;
  if (!o_.from_latents.empty()) latents = OpenLatents(model, o_);
  Complete(model, o_);
  WarnOfRanges(model, o_, warn_);
  CheckNothingReadIsReplaced(plan.jobs, OtherFilesRead(o_, folder));
  SvdEngine engine(model, network, ParseDecoder(o_.decoder));
  GenerateRun run{o_,
                  model,
                  folder.empty() ? "" : ModelHash(folder, network.exec.threads),
                  engine,
                  o_.max_memory.empty() ? 0 : ParseBytes(o_.max_memory),
                  MakeSchedule(model.scheduler(), o_.steps, model.scheduler_file()),
                  {session_.cancel, status_.AsProgress()},
                  recipe_,
                  std::move(latents),
                  FoldersForLatents(),
                  note_,
                  warn_,
                  PrintError};
  AnnounceMemory(plan, run);
  CheckTargets(plan, o_.overwrite);
  CheckModelOfRecipe(run);
  for (const Job& job : plan.jobs) {
    report_.outcomes.push_back(MakeClip(run, job));
    if (report_.outcomes.back().exit == Exit::kOk) note_(MadeLine(report_.outcomes.back()));
  }
}

}  // namespace

Runner DeclareGenerate(CLI::App& app) {
  auto o = std::make_shared<GenerateOptions>();
  DeclareOptions(app, *o);
  return [o, &app](Session& session) { return Generation(session, *o, app).Run(); };
}

}  // namespace mvd::cli
