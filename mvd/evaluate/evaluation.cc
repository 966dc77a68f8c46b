#include "mvd/evaluate/evaluation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <random>
#include <set>

#include "mvd/base/motion.h"
#include "mvd/data/motion_latents.h"
#include "mvd/engine/clip_size.h"
#include "mvd/evaluate/baselines.h"
#include "mvd/evaluate/flow_measure.h"
#include "mvd/evaluate/motion_figures.h"

namespace mvd {
namespace {

FeatureMatrix Rows(const FeatureMatrix& all, std::span<const int64_t> rows) {
  FeatureMatrix some{int64_t(rows.size()), all.columns, {}};
  for (int64_t row : rows) {
    const auto begin = all.values.begin() + row * all.columns;
    some.values.insert(some.values.end(), begin, begin + all.columns);
  }
  return some;
}

class Report {
 public:
  Report(EvaluationReport& report, uint64_t seed) : report_(report), seed_(seed) {}

  // The value of each clip; the mean is reported.
  void Add(const std::string& measure, const std::string& unit, const std::string& subject, double value) {
    values_[{measure, unit, subject}].push_back(value);
    if (!Has({measure, unit, subject})) order_.push_back({measure, unit, subject});
  }
  void Finish() {
    for (const Key& key : order_)
      report_.figures.push_back({key[0], key[1], key[2], MeanOf(values_[key], seed_)});
  }

 private:
  using Key = std::array<std::string, 3>;
  bool Has(const Key& key) const { return std::find(order_.begin(), order_.end(), key) != order_.end(); }

  EvaluationReport& report_;
  uint64_t seed_;
  std::map<Key, std::vector<double>> values_;
  std::vector<Key> order_;
};

// What the clips of one set are like, one at a time.
struct Subject {
  std::string name;
  std::vector<FloatClip> clips;
};

// What the clips are held against, one for each clip of a subject.
struct Truth {
  const std::vector<SynthClip>& clips;
  std::vector<FloatClip> real;
  std::vector<double> motion;  // of the real clips, measured as the subjects' is
};

std::set<std::string> KindsThatTellTheWay() {
  std::set<std::string> kinds;
  for (const SynthKind& kind : SynthKinds())
    if (kind.tells_way) kinds.insert(kind.name);
  return kinds;
}

void MeasureClip(const FloatClip& clip, const Truth& truth, size_t i, const std::string& subject,
                 std::span<const float> flow, Report& report) {
  const double psnr = Psnr(clip.Frame(0), truth.real[i].Frame(0));
  if (std::isfinite(psnr)) report.Add("first frame", "dB", subject, psnr);
  report.Add("flicker", "levels", subject, Flicker(clip));
  report.Add("motion", "pixels/frame", subject, MeanFlow(flow));
  if (truth.motion[i] > 0)
    report.Add("motion ratio", "of the real", subject, MeanFlow(flow) / truth.motion[i]);
  report.Add("warp error", "levels", subject, WarpError(clip, flow));
  if (const double edges = EdgeStrength(clip, 0); edges > 0)
    report.Add("sharpness, last frame", "of the first", subject, EdgeStrength(clip, clip.frames - 1) / edges);
}

void MeasureClips(const Subject& subject, const Truth& truth, const Threads& threads, Report& report,
                  EvaluationReport& result) {
  std::map<std::string, std::pair<double, int>> by_kind;
  const std::set<std::string> tells_way = KindsThatTellTheWay();
  for (size_t i = 0; i < subject.clips.size(); ++i) {
    const std::vector<float> flow = OpticalFlow(subject.clips[i], threads);
    MeasureClip(subject.clips[i], truth, i, subject.name, flow, report);
    const SynthClip& real = truth.clips[i];
    if (!real.exact_flow) continue;
    const double error = EndPointError(flow, real.flow);
    report.Add("flow error", "pixels", subject.name, error);
    if (tells_way.contains(real.kind)) report.Add("flow error, determined", "pixels", subject.name, error);
    by_kind[real.kind].first += error, by_kind[real.kind].second += 1;
  }
  for (const auto& [kind, sum] : by_kind) {
    EvaluationReport::KindError& error = result.kinds[kind];
    error.clips = sum.second;
    if (subject.name == "model") error.model = sum.first / sum.second;
    if (subject.name == "still") error.still = sum.first / sum.second;
  }
}

void MeasureDistances(const std::vector<Subject>& subjects, VideoFeatures& features, uint64_t seed,
                      EvaluationReport& result) {
  const FeatureMatrix real = features.Of(subjects.at(0).clips);
  for (const Subject& subject : subjects) {
    if (subject.name == "real" || subject.clips.size() != subjects[0].clips.size()) continue;
    const FeatureMatrix fake = features.Of(subject.clips);
    // Clip i of one set answers clip i of the other, so both are drawn together.
    const auto distance = [&](std::span<const int64_t> rows) {
      return FrechetDistance(Rows(real, rows), Rows(fake, rows));
    };
    constexpr int kDraws = 200;
    result.figures.push_back({"Frechet distance", "own features", subject.name,
                              BootstrapDistance(real.rows, distance, seed, kDraws)});
  }
}

// One clip of a photograph at a bucket.
void MeasureAtBucket(const FloatClip& clip, double bucket, std::span<const float> flow,
                     const Threads& threads, Report& report) {
  char at[32];
  std::snprintf(at, sizeof(at), ", bucket %g", bucket);
  const auto add = [&](const char* measure, const char* unit, double value) {
    report.Add(StrCat(measure, at), unit, "model", value);
  };
  const double asked = MotionPerFrame(bucket) * std::hypot(double(clip.height), double(clip.width));
  add("motion", "pixels/frame", MeanFlow(flow));
  add("motion", "of what is asked", MeanFlow(flow) / asked);
  add("temporal flickering", "%", TemporalFlickering(clip));
  add("dynamic degree", "%", IsDynamic(flow, clip.height, clip.width) ? 100 : 0);
  add("sharpness, last frame", "of the first", EdgeStrength(clip, clip.frames - 1) / EdgeStrength(clip, 0));
  add("last frame from the first", "dB", ExplainedByFirst(clip, threads));
  add("similarity", "of the flow", SimilarityShare(flow, clip.height, clip.width));
}

void MeasurePhotographs(SvdEngine& engine, const Model& model,
                        const std::vector<std::vector<float>>& photographs, const EvaluationOptions& o,
                        const SampleHooks& hooks, Report& report, EvaluationReport& result) {
  std::vector<ClipRequest> requests;
  std::vector<RealClip> pictures;
  for (size_t i = 0; i < photographs.size(); ++i) {
    pictures.push_back({{1, o.pipeline.height, o.pipeline.width, photographs[i]}, {}, 127});
    for (double bucket : o.buckets) requests.push_back({photographs[i], bucket, o.seed + i});
    // A second clip of the last bucket by another seed.
    requests.push_back({photographs[i], o.buckets.back(), o.seed + i + photographs.size()});
  }
  const std::vector<FloatClip> decoded = Reconstruct(engine, model, pictures, o.pipeline, hooks);
  for (size_t i = 0; i < photographs.size(); ++i) {
    const double psnr = Psnr(decoded[i].rgb, photographs[i]);
    if (std::isfinite(psnr)) report.Add("autoencoder, photographs", "dB", "model", psnr);
  }
  const std::vector<FloatClip> made = MakeClips(engine, model, requests, o.pipeline, hooks);
  std::vector<double> asked, moved;
  std::vector<float> before;
  for (size_t i = 0; i < made.size(); ++i) {
    const std::vector<float> flow = OpticalFlow(made[i], o.threads);
    if (i % (o.buckets.size() + 1) == o.buckets.size()) {
      report.Add("two seeds", "cosine of flows", "model", FlowCosine(before, flow));
      continue;
    }
    const double bucket = requests[i].motion_bucket_id;
    const double psnr = Psnr(made[i].Frame(0), requests[i].picture);
    if (std::isfinite(psnr)) report.Add("first frame, photographs", "dB", "model", psnr);
    MeasureAtBucket(made[i], bucket, flow, o.threads, report);
    asked.push_back(bucket);
    moved.push_back(MeanFlow(flow));
    before = flow;
  }
  result.bucket_spearman = Spearman(asked, moved);
}

}  // namespace

FloatClip ToFloat(const TrainingClip& clip) {
  FloatClip result{clip.frames, clip.height, clip.width, {}};
  result.rgb.reserve(clip.pixels.size());
  for (uint8_t value : clip.pixels) result.rgb.push_back(float(value) / 255);
  return result;
}

namespace {

// The model's clips, the baselines, and the real clips through the autoencoder.
std::vector<Subject> MakeSubjects(SvdEngine& engine, const Model& model, const Truth& truth,
                                  const EvaluationOptions& o, const SampleHooks& hooks) {
  std::vector<Subject> subjects = {{"real", truth.real}, {"model", {}}};
  for (const Baseline& baseline : Baselines())
    if (baseline.always || o.calibrate) subjects.push_back({std::string(baseline.name), {}});
  std::vector<ClipRequest> requests;
  std::vector<RealClip> reals;
  for (size_t i = 0; i < truth.real.size(); ++i) {
    const FloatClip& real = truth.real[i];
    const TrainingClip& clip = truth.clips[i].clip;
    requests.push_back({{real.Frame(0).begin(), real.Frame(0).end()}, clip.motion_bucket_id, o.seed + i});
    RealClip again{real, {}, clip.motion_bucket_id};
    if (MovesPicture(model))
      again.motion = MotionLatents(clip, PixelsPerLatent(model.configs(), "taesd_decoder"));
    reals.push_back(std::move(again));
    size_t at = 2;
    for (const Baseline& baseline : Baselines())
      if (baseline.always || o.calibrate)
        subjects[at++].clips.push_back(baseline.make(real, truth.motion[i], o.seed + i));
  }
  subjects[1].clips = MakeClips(engine, model, requests, o.pipeline, hooks);
  subjects.push_back({"decoded", Reconstruct(engine, model, reals, o.pipeline, hooks)});
  return subjects;
}

}  // namespace

EvaluationReport Evaluate(SvdEngine& engine, const Model& model, const EvaluationClips& clips,
                          const std::vector<std::vector<float>>& photographs, VideoFeatures* features,
                          const EvaluationOptions& o, const SampleHooks& hooks) {
  EvaluationReport result;
  Report report(result, o.seed);
  Truth truth{clips.held_out, {}, {}};
  for (const SynthClip& clip : clips.held_out) {
    truth.real.push_back(ToFloat(clip.clip));
    truth.motion.push_back(MeanFlow(OpticalFlow(truth.real.back(), o.threads)));
  }
  std::vector<Subject> subjects = MakeSubjects(engine, model, truth, o, hooks);
  for (const auto& [name, others] : clips.others) {
    Subject& subject = subjects.emplace_back(Subject{name, {}});
    for (const SynthClip& clip : others) subject.clips.push_back(ToFloat(clip.clip));
  }
  // Other real clips share nothing with the held-out ones but their kind: only the distance between sets
  // means anything.
  for (const Subject& subject : subjects)
    if (subject.name != kOthers) MeasureClips(subject, truth, o.threads, report, result);
  if (!photographs.empty()) MeasurePhotographs(engine, model, photographs, o, hooks, report, result);
  report.Finish();
  if (features && !truth.real.empty()) MeasureDistances(subjects, *features, o.seed, result);
  return result;
}

}  // namespace mvd
