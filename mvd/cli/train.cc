// train: a run from a commented TOML file, the file itself, and a step on given numbers for benchmarks.
#include "mvd/cli/train.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>

#include "mvd/cli/terminal.h"
#include "mvd/train/plan.h"
#include "mvd/train/run_config.h"
#include "mvd/train/train.h"

namespace mvd::cli {
namespace {

// A checkpoint of the largest network takes this long to write at most; until then an interrupted run is not
// cut off. A second Ctrl-C ends it at once.
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
    std::fprintf(stderr, "%s\n", text.c_str());
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

Exit PrintToml(const std::string& kind) {
  const std::string text = kind == "diffusion"     ? Toml(DiffusionConfig{})
                           : kind == "autoencoder" ? Toml(AutoencoderConfig{})
                           : kind == "features"    ? Toml(FeaturesConfig{})
                           : kind == "adversarial" ? Toml(AdversarialConfig{})
                                                   : "";
  if (text.empty())
    ThrowUsage("train init ", kind, ": expected diffusion, adversarial, autoencoder or features");
  std::fputs(text.c_str(), stdout);
  return Exit::kOk;
}

template <class Config>
Exit DryRun(const Session& session, Config config, double rate) {
  if (session.json) {
    std::cout << nlohmann::json{{"kind", Kind<Config>::kName},
                                {"options", WriteOptionsJson(ListOptions(config))},
                                {"plan", ToJson(PlanRun(config))},
                                {"can_train", CanTrain()}}
                     .dump()
              << "\n";
    return Exit::kOk;
  }
  std::fputs(Toml(config).c_str(), stdout);
  // What it will cost, as comments: the output is still a TOML file.
  std::istringstream plan(FormatPlan(PlanRun(config), rate * 1e12));
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
    app.add_option_function<std::string>(
           "--" + key, [o, key](const std::string& value) { o->overrides.push_back(key + "=" + value); })
        ->trigger_on_parse()  // in the order given: the last one holds
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
        ->group("");
  }
  app.add_option_function<std::string>(
         "--set", [o](const std::string& text) { o->overrides.push_back(text); },
         "Override an option of the file: SECTION.KEY=VALUE")
      ->trigger_on_parse()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.footer(
      StrCat("Every option of the file is a flag as well: --optimiser.lr 1e-5 is --set optimiser.lr=1e-5.\n"
             "`mobilevd train init ",
             Kind<Config>::kName, "` lists them, with meaning, unit, range and default."));
}

template <class Config>
void DeclareRun(CLI::App& app, const std::shared_ptr<TrainRunOptions>& o) {
  app.add_option("file", o->file, "TOML file, as `train init` prints it; without it, defaults");
  DeclareOverrides<Config>(app, o);
  app.add_flag("--dry-run,-n", o->dry_run,
               "Check the options, print all of them and what the run costs, and stop");
  app.add_option("--rate", o->rate, "TFLOP/s that one process sustains, for the times of --dry-run")
      ->capture_default_str()
      ->check(CLI::Range(1e-6, 1e6));
  app.add_flag("--resume", o->resume,
               "Continue from the run's newest checkpoint, or begin where it has none");
  app.add_flag("--export", o->export_only,
               "Write the model of the run's newest checkpoint, as a run does at its end, and stop")
      ->excludes("--resume");
}

struct BenchFlags {
  BenchStepOptions step;
  std::string file, dtype = "f32";
};

Exit RunBenchStep(const BenchFlags& flags) {
  BenchStepOptions options = flags.step;
  options.file = flags.file;
  options.bf16 = flags.dtype == "bf16";
  const BenchStepResult result = BenchStep(options);
  std::cout << nlohmann::json{{"loss", result.loss},
                              {"grad_norm", result.grad_norm},
                              {"seconds", result.seconds},
                              {"dtype", flags.dtype}}
                   .dump()
            << "\n";
  return Exit::kOk;
}

}  // namespace

template <class Config>
Exit RunTrain(Session& session, const TrainRunOptions& o) {
  const Config config = ReadRunConfig<Config>(o.file, o.overrides);
  if (o.dry_run) return DryRun(session, config, o.rate);
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
    std::cout << object.dump() << "\n";
  } else if (!result.model.empty()) {
    std::printf("%s\n", result.model.c_str());
  }
  return result.cancelled ? Exit::kCancelled : Exit::kOk;
}
template Exit RunTrain<DiffusionConfig>(Session&, const TrainRunOptions&);
template Exit RunTrain<AutoencoderConfig>(Session&, const TrainRunOptions&);
template Exit RunTrain<FeaturesConfig>(Session&, const TrainRunOptions&);
template Exit RunTrain<AdversarialConfig>(Session&, const TrainRunOptions&);

Runner DeclareTrain(CLI::App& app) {
  auto chosen = std::make_shared<Runner>();
  app.require_subcommand(1);
  const auto add = [&](const char* name, const char* help, Runner runner) {
    CLI::App* sub = app.add_subcommand(name, help);
    sub->fallthrough();  // --json and --quiet also behind the kind
    sub->callback([chosen, runner = std::move(runner)] { *chosen = runner; });
    return sub;
  };
  auto run = std::make_shared<TrainRunOptions>();
  DeclareRun<DiffusionConfig>(*add("diffusion", "Train the video UNet on latents",
                                   [run](Session& s) { return RunTrain<DiffusionConfig>(s, *run); }),
                              run);
  DeclareRun<AdversarialConfig>(*add("adversarial", "Teach a trained UNet to make a clip in one step",
                                     [run](Session& s) { return RunTrain<AdversarialConfig>(s, *run); }),
                                run);
  DeclareRun<AutoencoderConfig>(*add("autoencoder", "Train a TAESD-shaped autoencoder",
                                     [run](Session& s) { return RunTrain<AutoencoderConfig>(s, *run); }),
                                run);
  DeclareRun<FeaturesConfig>(*add("features", "Train the network on whose features clips are compared",
                                  [run](Session& s) { return RunTrain<FeaturesConfig>(s, *run); }),
                             run);
  auto kind = std::make_shared<std::string>();
  add("init", "Print a commented TOML file with every option", [kind](Session&) { return PrintToml(*kind); })
      ->add_option("kind", *kind, "diffusion, adversarial, autoencoder or features")
      ->required();
  auto bench = std::make_shared<BenchFlags>();
  CLI::App* step = add("bench-step", "One training step on given numbers",
                       [bench](Session&) { return RunBenchStep(*bench); });
  step->group("");  // a tool of tools/bench_train.py: not in the help
  step->add_option("file", bench->file, "safetensors with weights and inputs")->required();
  step->add_option("--dtype", bench->dtype, "f32 or bf16")->check(CLI::IsMember({"f32", "bf16"}));
  step->add_option("--steps", bench->step.steps, "Steps")->check(CLI::Range(1, 1000));
  step->add_option("--threads", bench->step.threads, "Threads; 0: all")->check(CLI::Range(0, 4096));
  return [chosen](Session& session) { return (*chosen)(session); };
}

}  // namespace mvd::cli
