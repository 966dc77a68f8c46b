// train: a run from a commented TOML file, the file itself, and a step on given numbers for benchmarks.
#include "mvd/cli/train.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <sstream>

#include "mvd/base/paths.h"
#include "mvd/cli/flags.h"
#include "mvd/cli/option_table.h"
#include "mvd/cli/output.h"
#include "mvd/cli/terminal.h"
#include "mvd/engine/bundled_models.h"
#include "mvd/engine/model.h"
#include "mvd/train/plan.h"
#include "mvd/train/run_config.h"
#include "mvd/train/train.h"

namespace mvd::cli {
namespace fs = std::filesystem;
namespace {

// A checkpoint of the largest network takes this long to write at most; until then an interrupted run is not
// cut off. A second signal does not cut it off either (mvd/train/loop/checkpoint_before_end.h).
constexpr int kGraceMs = 15 * 60 * 1000;

// One line that overwrites itself on a terminal; elsewhere nothing, since the log has every step.
class Line {
 public:
  explicit Line(bool quiet) : live_(!quiet && ::isatty(STDERR_FILENO)), quiet_(quiet) {}
  ~Line() { Clear(); }
  void Show(const std::string& text) {
    if (!live_) return;
    std::fprintf(stderr, "\r\033[K%s", text.c_str());
    std::fflush(stderr);
    drawn_ = true;
  }
  void Note(const std::string& text) {
    if (quiet_) return;
    Clear();
    std::fprintf(stderr, "%s\n", Shown(text).c_str());
  }

 private:
  void Clear() {
    if (drawn_) std::fputs("\r\033[K", stderr);
    drawn_ = false;
  }
  bool live_, quiet_, drawn_ = false;
};

template <class Config>
struct Kind;
template <>
struct Kind<DiffusionConfig> {
  static constexpr const char* kName = "diffusion";
  static constexpr auto kTrain = TrainDiffusion;
};
template <>
struct Kind<AutoencoderConfig> {
  static constexpr const char* kName = "autoencoder";
  static constexpr auto kTrain = TrainAutoencoder;
};

template <>
struct Kind<FeaturesConfig> {
  static constexpr const char* kName = "features";
  static constexpr auto kTrain = TrainFeatures;
};

template <>
struct Kind<AdversarialConfig> {
  static constexpr const char* kName = "adversarial";
  static constexpr auto kTrain = TrainAdversarial;
};

template <class Config>
std::string Toml(Config config) {
  Config defaults;
  return WriteToml(ListOptions(config), ListOptions(defaults),
                   std::string("mobilevd train ") + Kind<Config>::kName);
}

Exit PrintToml(const Session& session, const std::string& kind) {
  const std::string text = kind == "diffusion"     ? Toml(DiffusionConfig{})
                           : kind == "autoencoder" ? Toml(AutoencoderConfig{})
                           : kind == "features"    ? Toml(FeaturesConfig{})
                                                   : Toml(AdversarialConfig{});
  if (session.json)
    PrintJson(nlohmann::json{{"kind", kind}, {"toml", text}});
  else
    std::fputs(text.c_str(), stdout);
  return Exit::kOk;
}

// A model that comes with the program may be named, as everywhere. A plan can do without one that is absent.
template <class Config>
void FindModels(Config& config, bool needed) {
  for (const Option& option : ListOptions(config)) {
    if (option.reads != Reads::kModel) continue;
    std::string& model = *std::get<std::string*>(option.value);
    if (PathExists(model) || fs::path(model).filename() != model) continue;
    try {
      model = FindModel(model).string();
    } catch (const Error&) {
      if (needed) throw;
    }
  }
}

// Of several processes one speaks. A launcher's variable says which this is (mvd/train/loop/processes.h).
bool IsFirstProcess() {
  for (const char* name : {"RANK", "SLURM_PROCID"})
    if (const char* value = std::getenv(name); value && std::string_view(value) != "0") return false;
  return true;
}

// What the weight files of the models hold beyond their networks, as `generate` says it of its model.
template <class Config>
void TellDoubtsOfModels(Config& config) {
  std::set<std::string> told;
  for (const Option& option : ListOptions(config)) {
    if (option.reads != Reads::kModel) continue;
    const std::string& folder = *std::get<std::string*>(option.value);
    if (!folder.empty() && PathExists(folder) && told.insert(folder).second)
      TellDoubts(Model::Open(folder), /*strict=*/false);
  }
}

// Folders of a file that are not there yet, as in a recipe, whose stages make them one after another: the
// plan is made without them. One that was given on the command line is Error(kNotFound).
template <class Config>
std::map<std::string, std::string> TakeOutAbsentFolders(Config& config,
                                                        const std::vector<std::string>& overrides) {
  std::map<std::string, std::string> absent;
  for (const Option& option : ListOptions(config)) {
    if (option.reads == Reads::kNothing) continue;
    std::string& folder = *std::get<std::string*>(option.value);
    if (folder.empty() || PathExists(folder)) continue;
    const bool given = std::ranges::any_of(
        overrides, [&](const std::string& text) { return text.starts_with(option.key + "="); });
    if (given) throw Error(Exit::kNotFound, folder, StrCat("no such file or folder (", option.key, ")"));
    absent[option.key] = folder;
    // A plan reads no clips, and says itself what stands for an autoencoder.
    if (option.reads == Reads::kModel && option.key != "model.autoencoder") folder.clear();
  }
  return absent;
}

template <class Config>
Exit DryRun(const Session& session, Config config, const TrainRunOptions& o) {
  Config planned = config;
  const std::map<std::string, std::string> absent = TakeOutAbsentFolders(planned, o.overrides);
  const RunPlan run = PlanRun(planned);
  if (session.json) {
    PrintJson(nlohmann::json{{"kind", Kind<Config>::kName},
                             {"options", WriteOptionsJson(ListOptions(config))},
                             {"absent", absent},
                             {"plan", ToJson(run)},
                             {"can_train", CanTrain()}});
    return Exit::kOk;
  }
  std::fputs(Toml(config).c_str(), stdout);
  // What it will cost, as comments: the output is still a TOML file.
  for (const auto& [key, folder] : absent)
    std::printf("# %s: \"%s\" is not there yet; the plan below is made without it\n", key.c_str(),
                folder.c_str());
  std::istringstream plan(FormatPlan(run, o.rate * 1e12));
  for (std::string line; std::getline(plan, line);) std::printf("# %s\n", line.c_str());
  return Exit::kOk;
}

// Each option of the file is a flag too, from the one list; too many for the help, which says where they are
// listed.
template <class Config>
void DeclareOverrides(CLI::App& app, const std::shared_ptr<TrainRunOptions>& o) {
  Config defaults;
  for (const Option& option : ListOptions(defaults)) {
    const std::string key = option.key;
    AddOption(app,
              {.flags = "--" + key,
               .help = option.meaning,
               .value = option.reads == Reads::kNothing ? "VALUE" : "FOLDER",
               .choices = option.choices,
               .group = ""},
              [o, key](const std::string& value) { o->overrides.push_back(key + "=" + value); });
  }
  AddOption(
      app,
      {.flags = "--set", .help = "Override an option of the file; repeatable", .value = "SECTION.KEY=VALUE"},
      [o](const std::string& text) { o->overrides.push_back(text); });
  app.footer(
      StrCat("Every option of the file is a flag as well: --optimiser.lr 1e-5 is --set optimiser.lr=1e-5.\n"
             "`mobilevd train init ",
             Kind<Config>::kName, "` lists them, with meaning, unit, range and default."));
}

template <class Config>
void DeclareRun(CLI::App& app, const std::shared_ptr<TrainRunOptions>& o) {
  AddOption(app,
            {.flags = "file",
             .help = "TOML file, as `train init` prints it; without it, defaults",
             .value = "FILE"},
            o->file);
  DeclareOverrides<Config>(app, o);
  AddOption(app,
            {.flags = "--dry-run,-n",
             .help = "Check the options, print all of them and what the run costs, and stop"},
            o->dry_run);
  AddOption(app,
            {.flags = "--rate",
             .help = "TFLOP/s that one process sustains, for the times of --dry-run",
             .value = "X",
             .least = 1e-6,
             .most = 1e6},
            o->rate);
  CLI::Option* const resume = AddOption(
      app,
      {.flags = "--resume", .help = "Continue from the run's newest checkpoint, or begin where it has none"},
      o->resume);
  AddOption(app,
            {.flags = "--export",
             .help = "Write the model of the run's newest checkpoint, as a run does at its end, and stop"},
            o->export_only)
      ->excludes(resume);
}

struct BenchStepFlags {
  BenchStepOptions step;
  std::string file, dtype = "f32";
};

Exit RunBenchStep(const BenchStepFlags& flags) {
  BenchStepOptions options = flags.step;
  options.file = flags.file;
  options.bf16 = flags.dtype == "bf16";
  const BenchStepResult result = BenchStep(options);
  PrintJson(nlohmann::json{{"loss", result.loss},
                           {"grad_norm", result.grad_norm},
                           {"seconds", result.seconds},
                           {"dtype", flags.dtype}});
  return Exit::kOk;
}

}  // namespace

template <class Config>
Exit RunTrain(Session& session, const TrainRunOptions& o) {
  Config config = ReadRunConfig<Config>(o.file, o.overrides);
  FindModels(config, !o.dry_run);
  if (IsFirstProcess()) TellDoubtsOfModels(config);
  if (o.dry_run) return DryRun(session, config, o);
  if (session.cancel_grace_ms) *session.cancel_grace_ms = kGraceMs;
  Line line(session.quiet);
  TrainHooks hooks;
  hooks.cancel = session.cancel;
  hooks.note = [&](const std::string& text) { line.Note(text); };
  hooks.status = [&](const std::string& text) { line.Show(text); };
  const RunMode mode = o.export_only ? RunMode::kExport : o.resume ? RunMode::kResume : RunMode::kNew;
  const TrainResult result = Kind<Config>::kTrain(config, mode, hooks);
  if (session.json) {
    nlohmann::json object = {{"steps", result.steps}, {"cancelled", result.cancelled}, {"model", nullptr}};
    if (!result.model.empty()) object["model"] = result.model.string();
    PrintJson(object);
  } else if (!result.model.empty()) {
    std::printf("%s\n", result.model.c_str());
  }
  return result.cancelled ? Exit::kCancelled : Exit::kOk;
}
template Exit RunTrain<DiffusionConfig>(Session&, const TrainRunOptions&);
template Exit RunTrain<AutoencoderConfig>(Session&, const TrainRunOptions&);
template Exit RunTrain<FeaturesConfig>(Session&, const TrainRunOptions&);
template Exit RunTrain<AdversarialConfig>(Session&, const TrainRunOptions&);

namespace {

template <class Config>
Runner DeclareKind(CLI::App& app) {
  auto run = std::make_shared<TrainRunOptions>();
  DeclareRun<Config>(app, run);
  return [run](Session& session) { return RunTrain<Config>(session, *run); };
}

Runner DeclareTrainInit(CLI::App& app) {
  auto kind = std::make_shared<std::string>();
  AddOption(app,
            {.flags = "kind",
             .help = "Kind of run",
             .value = "KIND",
             .choices = {"diffusion", "adversarial", "autoencoder", "features"},
             .required = true},
            *kind);
  return [kind](Session& session) { return PrintToml(session, *kind); };
}

Runner DeclareBenchStep(CLI::App& app) {
  auto bench = std::make_shared<BenchStepFlags>();
  app.group("");  // a tool of tools/bench_train.py: not in the help
  AddOption(
      app,
      {.flags = "file", .help = "safetensors with weights and inputs", .value = "FILE", .required = true},
      bench->file);
  AddOption(app, {.flags = "--dtype", .help = "Element type", .value = "NAME", .choices = {"f32", "bf16"}},
            bench->dtype);
  AddOption(app, {.flags = "--steps", .help = "Steps", .value = "N", .least = 1, .most = 1000},
            bench->step.steps);
  AddOption(app, Table().threads, bench->step.threads);
  return [bench](Session&) { return RunBenchStep(*bench); };
}

constexpr Command kTrainCommands[] = {
    {"diffusion", "Train the video UNet on latents", "run.toml --dry-run", DeclareKind<DiffusionConfig>},
    {"adversarial", "Teach a trained UNet to make a clip in one step", "run.toml --dry-run",
     DeclareKind<AdversarialConfig>},
    {"autoencoder", "Train a TAESD-shaped autoencoder", "run.toml --dry-run", DeclareKind<AutoencoderConfig>},
    {"features", "Train the network on whose features clips are compared", "run.toml --dry-run",
     DeclareKind<FeaturesConfig>},
    {"init", "Print a commented TOML file with every option", "diffusion > run.toml", DeclareTrainInit},
    {"bench-step", "One training step on given numbers", "step.safetensors", DeclareBenchStep},
};

}  // namespace

Runner DeclareTrain(CLI::App& app) {
  app.require_subcommand(1);
  auto chosen = std::make_shared<Runner>();
  for (const Command& command : kTrainCommands)
    AddCommand(app, command, *chosen)->fallthrough();  // --json and --quiet also behind the kind
  return [chosen](Session& session) { return (*chosen)(session); };
}

}  // namespace mvd::cli
