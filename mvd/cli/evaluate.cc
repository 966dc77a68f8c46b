// evaluate: a model's figures on held-out clips and photographs, with those of two baselines.
#include <cstdio>
#include <filesystem>

#include "mvd/cli/command.h"
#include "mvd/cli/flags.h"
#include "mvd/cli/generate_options.h"
#include "mvd/cli/option_table.h"
#include "mvd/cli/output.h"
#include "mvd/cli/terminal.h"
#include "mvd/cost/cost.h"
#include "mvd/engine/bundled_models.h"
#include "mvd/evaluate/evaluation.h"
#include "mvd/media/image.h"
#include "mvd/sample/guidance.h"
#include "mvd/sample/resize.h"

namespace mvd::cli {
namespace fs = std::filesystem;
namespace {

// Clips of this series are in no run's training data: the same number keeps them from the held-out loss's,
// too.
constexpr uint64_t kEvaluationSeed = 0x6576616c75617465;

constexpr char kFrechet[] = "Frechet distance";
constexpr char kFrechetNote[] =
    "own features, not FVD: it stands on the program's own small feature network and compares with no "
    "published figure";

struct EvaluateFlags {
  std::string model = std::string(kDefaultModel), features = "video_features";
  std::string photos, scene_photos;
  int64_t clips = 64, steps = kUnset<int64_t>;
  double min_guidance_scale = kUnset<double>, max_guidance_scale = kUnset<double>;
  std::vector<double> buckets = EvaluationOptions().buckets;
  uint64_t seed = 0;
  bool calibrate = false;
  ExecFlags exec;
};

std::vector<SynthClip> Clips(const SynthOptions& synth, int64_t count, StatusLine& status) {
  std::vector<SynthClip> clips;
  for (int64_t i = 0; i < count; ++i) {
    clips.push_back(RenderSynthClip(synth, uint64_t(i)));
    status.Update("clips", double(i + 1) / double(count));
  }
  return clips;
}

std::vector<std::vector<float>> Photographs(const std::string& folder, int64_t height, int64_t width) {
  std::vector<std::vector<float>> photographs;
  if (folder.empty()) return photographs;
  for (const Image& image : ReadImages(folder)) {
    const RgbImage sized =
        FitImage({image.rgb, image.width, image.height}, int(width), int(height), Fit::kCrop);
    std::vector<float>& picture = photographs.emplace_back();
    for (uint8_t value : sized.pixels) picture.push_back(float(value) / 255);
  }
  return photographs;
}

// What one clip asks of the UNet.
struct ClipCost {
  int64_t evaluations = 0, flops = 0, parameters = 0;  // flops: of all evaluations
};

ClipCost CostOf(const Model& model, const SvdOptions& o) {
  const SvdUnetConfig& unet = model.configs().unet;
  const int64_t factor = ScaleFactor(model.configs().vae);
  const GraphCost cost = CountCost(BuildSvdUnet(unet, 1, o.num_frames, o.height / factor, o.width / factor));
  const bool guided = GuidanceOn(GuidanceScales(o.min_guidance_scale, o.max_guidance_scale, o.num_frames));
  const int64_t evaluations = o.num_inference_steps * (guided ? 2 : 1);
  return {evaluations, evaluations * cost.total.flops, cost.total.parameters};
}

// Which data the figures are on.
nlohmann::json DataOf(const EvaluateFlags& o, size_t photographs, size_t scene_photos) {
  return {{"series", "held out"},       {"seed", o.seed},
          {"development", o.seed == 0}, {"clips", o.clips},
          {"photographs", photographs}, {"scene_photos", scene_photos}};
}

nlohmann::json ToJson(const EvaluationReport& report, const ClipCost& cost, const std::string& model,
                      const nlohmann::json& data) {
  nlohmann::json figures = nlohmann::json::array(), kinds = nlohmann::json::object();
  for (const Figure& f : report.figures) {
    figures.push_back({{"measure", f.measure},
                       {"unit", f.unit},
                       {"subject", f.subject},
                       {"value", f.interval.value},
                       {"low", f.interval.low},
                       {"high", f.interval.high},
                       {"count", f.interval.count}});
  }
  for (const auto& [kind, error] : report.kinds)
    kinds[kind] = {{"model", error.model}, {"still", error.still}, {"clips", error.clips}};
  return {{"model", model},
          {"data", data},
          {"frechet_distance_is", kFrechetNote},
          {"evaluations", cost.evaluations},
          {"flops", cost.flops},
          {"parameters", cost.parameters},
          {"figures", figures},
          {"flow_error_by_kind", kinds},
          {"bucket_spearman", report.bucket_spearman ? nlohmann::json(*report.bucket_spearman) : nullptr}};
}

void PrintData(const std::string& model, const nlohmann::json& data) {
  const int64_t seed = data["seed"].get<int64_t>();
  std::printf(
      "model %s on %lld procedural clips of the held-out series, --seed %lld: no training run draws them\n",
      model.c_str(), static_cast<long long>(data["clips"].get<int64_t>()), static_cast<long long>(seed));
  std::printf(
      "%s\n",
      data["development"].get<bool>()
          ? "  seed 0 is the development set: the models that come with the program were compared on it "
            "while they were made; other seeds are test sets"
          : "  a test set, unless models were compared on this seed before");
  const auto pictures = data["scene_photos"].get<int64_t>(), photographs = data["photographs"].get<int64_t>();
  if (pictures > 0)
    std::printf("  some scenes show one of %lld pictures (--scene-photos)\n",
                static_cast<long long>(pictures));
  else
    std::printf(
        "  no scene shows a photograph (--scene-photos adds such scenes: other clips, other figures)\n");
  if (photographs > 0)
    std::printf("and on %lld photographs (--photos)\n", static_cast<long long>(photographs));
}

void PrintKinds(const EvaluationReport& report) {
  std::printf("flow error by kind of scene, pixels, smaller is better:\n");
  std::printf("  %-14s %6s %8s %14s   %s\n", "kind", "clips", "model", "still picture", "the model is");
  size_t better = 0;
  for (const auto& [kind, error] : report.kinds) {
    better += error.better();
    std::printf("  %-14s %6lld %8.3f %14.3f   %s\n", kind.c_str(), static_cast<long long>(error.clips),
                error.model, error.still, error.better() ? "better" : "worse");
  }
  double model = 0, still = 0;
  for (const Figure& f : report.figures) {
    if (f.measure != "flow error") continue;
    if (f.subject == "model") model = f.interval.value;
    if (f.subject == "still") still = f.interval.value;
  }
  std::printf(
      "  the model's motion is nearer to the truth than the still picture's in %zu of %zu kinds; over all "
      "clips %.3f "
      "against %.3f: %s\n",
      better, report.kinds.size(), model, still, model < still ? "better" : "worse");
}

void Print(const EvaluationReport& report, const std::string& model, const nlohmann::json& data) {
  PrintData(model, data);
  std::printf("%-26s %-14s %-8s %9s   %-19s %s\n", "measure", "unit", "of", "mean", "95 % interval", "clips");
  bool distances = false;
  for (const Figure& f : report.figures) {
    std::printf("%-26s %-14s %-8s %9.3f   %8.3f to %-8.3f %lld\n", f.measure.c_str(), f.unit.c_str(),
                f.subject.c_str(), f.interval.value, f.interval.low, f.interval.high,
                static_cast<long long>(f.interval.count));
    distances |= f.measure == kFrechet;
  }
  if (distances) std::printf("%s: %s\n", kFrechet, kFrechetNote);
  if (report.bucket_spearman) std::printf("motion against bucket: Spearman %.3f\n", *report.bucket_spearman);
  if (!report.kinds.empty()) PrintKinds(report);
}

SvdOptions Pipeline(const EvaluateFlags& o, const Model& model) {
  GenerateOptions generate;
  generate.steps = o.steps;
  generate.min_guidance_scale = o.min_guidance_scale, generate.max_guidance_scale = o.max_guidance_scale;
  Complete(model, generate);
  CompleteSize(model, 0, 0, generate);
  return PipelineOptions(model, generate, generate.num_frames);
}

Exit Run(Session& session, const EvaluateFlags& o) {
  StatusLine status(session.quiet);
  const NetworkOptions network = o.exec.Resolve(session.cancel);
  const Model model = Model::Open(FindModel(o.model));
  TellDoubts(model, /*strict=*/false);
  EvaluationOptions options;
  options.pipeline = Pipeline(o, model);
  options.seed = o.seed, options.buckets = o.buckets;
  options.threads = network.exec.threads;
  SynthOptions synth;
  synth.seed = kEvaluationSeed ^ o.seed;
  synth.frames = options.pipeline.num_frames;
  synth.height = options.pipeline.height, synth.width = options.pipeline.width;
  synth.fps = options.pipeline.fps;
  if (!o.scene_photos.empty()) {
    for (Image& image : ReadImages(o.scene_photos))
      synth.photos.push_back({image.width, image.height, std::move(image.rgb)});
  }
  const std::vector<std::vector<float>> photographs = Photographs(o.photos, synth.height, synth.width);
  options.calibrate = o.calibrate;
  EvaluationClips clips{Clips(synth, o.clips, status), {}};
  if (o.calibrate) {  // the same scenes: what moves in a second now takes two, or a half
    for (const auto& [name, speed] : {std::pair("half speed", 0.5), std::pair("double speed", 2.0)}) {
      SynthOptions other = synth;
      other.fps /= speed;
      clips.others[name] = Clips(other, o.clips, status);
    }
  }
  synth.seed += 1;
  clips.others[kOthers] = Clips(synth, o.clips, status);
  const nlohmann::json data = DataOf(o, photographs.size(), synth.photos.size());
  std::unique_ptr<VideoFeatures> features;
  if (!o.features.empty()) features = std::make_unique<VideoFeatures>(FindModel(o.features), network);
  SvdEngine engine(model, network);
  const EvaluationReport report = Evaluate(engine, model, clips, photographs, features.get(), options,
                                           {session.cancel, status.AsProgress()});
  status.Clear();
  if (session.json)
    PrintJson(ToJson(report, CostOf(model, options.pipeline), o.model, data));
  else
    Print(report, o.model, data);
  return Exit::kOk;
}

}  // namespace

Runner DeclareEvaluate(CLI::App& app) {
  auto o = std::make_shared<EvaluateFlags>();
  const OptionTable& table = Table();
  AddOption(app, table.model, o->model);
  AddOption(app,
            {.flags = "--features",
             .help = "Folder or name of the feature network (train features); empty: no Frechet distances",
             .value = "MODEL",
             .group = "Model"},
            o->features);
  AddOption(app,
            {.flags = "--clips",
             .help = "Procedural clips that the model never saw",
             .value = "N",
             .least = 2,
             .most = 1 << 20},
            o->clips);
  AddOption(app,
            {.flags = "--scene-photos",
             .help = "Folder of held-out pictures that scenes may show",
             .value = "FOLDER"},
            o->scene_photos);
  AddOption(
      app,
      {.flags = "--photos", .help = "Folder of held-out photographs to begin clips with", .value = "FOLDER"},
      o->photos);
  OptionSpec buckets = WithHelp(table.motion_bucket_id, "Motion buckets for each photograph, between commas");
  buckets.flags = "--buckets", buckets.aliases.clear(), buckets.value = "X,X", buckets.group = "Options";
  AddOption(app, buckets, o->buckets);
  AddOption(app, InGroup(table.steps, "Options"), o->steps);
  AddOption(app, InGroup(table.min_guidance_scale, "Options"), o->min_guidance_scale);
  AddOption(app, InGroup(table.max_guidance_scale, "Options"), o->max_guidance_scale);
  AddOption(app, {.flags = "--seed", .help = "Seed of the noise and of the clips", .value = "N"}, o->seed);
  AddOption(
      app,
      {.flags = "--calibrate",
       .help = "Also measure clips that are worse in known ways: reversed, blurred, at half speed, ..."},
      o->calibrate);
  o->exec.Declare(app);
  return [o](Session& session) { return Run(session, *o); };
}

}  // namespace mvd::cli
