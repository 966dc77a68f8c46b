#include "mvd/evaluate/evaluation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <random>
#include <set>

#include "mvd/evaluate/flow_measure.h"

namespace mvd {
namespace {

FloatClip Still(const FloatClip& real) {
  FloatClip still = real;
  still.rgb.clear();
  for (int64_t t = 0; t < real.frames; ++t)
    still.rgb.insert(still.rgb.end(), real.Frame(0).begin(), real.Frame(0).end());
  return still;
}

FloatClip Noise(const FloatClip& real, uint64_t seed) {
  FloatClip noise = real;
  std::mt19937 random{uint32_t(seed)};
  for (float& value : noise.rgb) value = float(random() >> 8) * 0x1p-24f;
  return noise;
}

// The same frames in any order: what a measure of clips that listens to time must hear.
FloatClip Shuffled(const FloatClip& real, uint64_t seed) {
  std::vector<int64_t> order(size_t(real.frames));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 random{uint32_t(seed)};
  for (size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[random() % (i + 1)]);
  FloatClip shuffled = real;
  shuffled.rgb.clear();
  for (const int64_t t : order)
    shuffled.rgb.insert(shuffled.rgb.end(), real.Frame(t).begin(), real.Frame(t).end());
  return shuffled;
}

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

void MeasureClips(const Subject& subject, const std::vector<SynthClip>& truth, const Threads& threads,
                  Report& report, EvaluationReport& result) {
  std::map<std::string, std::pair<double, int>> by_kind;
  std::set<std::string> tells_way;
  for (const SynthKind& kind : SynthKinds())
    if (kind.tells_way) tells_way.insert(kind.name);
  for (size_t i = 0; i < subject.clips.size(); ++i) {
    const FloatClip& clip = subject.clips[i];
    const double psnr = Psnr(clip.Frame(0), ToFloat(truth[i].clip).Frame(0));
    if (std::isfinite(psnr)) report.Add("first frame", "dB", subject.name, psnr);
    report.Add("flicker", "levels", subject.name, Flicker(clip));
    const std::vector<float> flow = OpticalFlow(clip, threads);
    report.Add("motion", "pixels/frame", subject.name, MeanFlow(flow));
    if (!truth[i].exact_flow) continue;
    const double error = EndPointError(flow, truth[i].flow);
    report.Add("flow error", "pixels", subject.name, error);
    if (tells_way.contains(truth[i].kind))
      report.Add("flow error, determined", "pixels", subject.name, error);
    by_kind[truth[i].kind].first += error, by_kind[truth[i].kind].second += 1;
  }
  for (const auto& [kind, sum] : by_kind) {
    EvaluationReport::KindError& error = result.kinds[kind];
    error.clips = sum.second;
    if (subject.name == "model") error.model = sum.first / sum.second;
    if (subject.name == "still") error.still = sum.first / sum.second;
  }
}

void MeasureDistances(const std::vector<Subject>& subjects, const std::vector<SynthClip>& others,
                      VideoFeatures& features, uint64_t seed, EvaluationReport& result) {
  const FeatureMatrix real = features.Of(subjects.at(0).clips);
  const auto add = [&](const std::string& name, const FeatureMatrix& fake) {
    // Clip i of one set answers clip i of the other, so both are drawn together.
    const auto distance = [&](std::span<const int64_t> rows) {
      return FrechetDistance(Rows(real, rows), Rows(fake, rows));
    };
    constexpr int kDraws = 200;
    result.figures.push_back(
        {"Frechet distance", "own features", name, BootstrapDistance(real.rows, distance, seed, kDraws)});
  };
  for (const Subject& subject : subjects) {
    if (subject.name != "real") add(subject.name, features.Of(subject.clips));
  }
  std::vector<FloatClip> shuffled;
  for (const FloatClip& clip : subjects[0].clips) shuffled.push_back(Shuffled(clip, seed + shuffled.size()));
  add("shuffled", features.Of(shuffled));
  std::vector<FloatClip> more;
  for (const SynthClip& clip : others) more.push_back(ToFloat(clip.clip));
  if (more.size() == subjects[0].clips.size()) add("real", features.Of(more));
}

void MeasurePhotographs(SvdEngine& engine, const Model& model,
                        const std::vector<std::vector<float>>& photographs, const EvaluationOptions& o,
                        const SampleHooks& hooks, Report& report, EvaluationReport& result) {
  std::vector<ClipRequest> requests;
  std::vector<FloatClip> pictures;
  for (size_t i = 0; i < photographs.size(); ++i) {
    pictures.push_back({1, o.pipeline.height, o.pipeline.width, photographs[i]});
    for (double bucket : o.buckets) requests.push_back({photographs[i], bucket, o.seed + i});
  }
  const std::vector<FloatClip> decoded = Reconstruct(engine, model, pictures, o.pipeline, hooks);
  for (size_t i = 0; i < photographs.size(); ++i)
    report.Add("autoencoder, photographs", "dB", "model", Psnr(decoded[i].rgb, photographs[i]));
  const std::vector<FloatClip> made = MakeClips(engine, model, requests, o.pipeline, hooks);
  std::vector<double> asked, moved;
  for (size_t i = 0; i < made.size(); ++i) {
    const double bucket = requests[i].motion_bucket_id;
    report.Add("first frame, photographs", "dB", "model", Psnr(made[i].Frame(0), requests[i].picture));
    const std::vector<float> flow = OpticalFlow(made[i], o.threads);
    asked.push_back(bucket);
    moved.push_back(MeanFlow(flow));
    char at[32];
    std::snprintf(at, sizeof(at), ", bucket %g", bucket);
    report.Add(StrCat("motion", at), "pixels/frame", "model", moved.back());
    report.Add(StrCat("temporal flickering", at), "%", "model", TemporalFlickering(made[i]));
    const bool dynamic = IsDynamic(flow, made[i].height, made[i].width);
    report.Add(StrCat("dynamic degree", at), "%", "model", dynamic ? 100 : 0);
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

EvaluationReport Evaluate(SvdEngine& engine, const Model& model, const std::vector<SynthClip>& clips,
                          const std::vector<SynthClip>& others,
                          const std::vector<std::vector<float>>& photographs, VideoFeatures* features,
                          const EvaluationOptions& o, const SampleHooks& hooks) {
  EvaluationReport result;
  Report report(result, o.seed);
  std::vector<Subject> subjects = {
      {"real", {}}, {"model", {}}, {"still", {}}, {"noise", {}}, {"decoded", {}}};
  std::vector<ClipRequest> requests;
  for (size_t i = 0; i < clips.size(); ++i) {
    subjects[0].clips.push_back(ToFloat(clips[i].clip));
    const FloatClip& real = subjects[0].clips.back();
    requests.push_back(
        {{real.Frame(0).begin(), real.Frame(0).end()}, clips[i].clip.motion_bucket_id, o.seed + i});
    subjects[2].clips.push_back(Still(real));
    subjects[3].clips.push_back(Noise(real, o.seed + i));
  }
  subjects[1].clips = MakeClips(engine, model, requests, o.pipeline, hooks);
  subjects[4].clips = Reconstruct(engine, model, subjects[0].clips, o.pipeline, hooks);
  for (const Subject& subject : subjects) MeasureClips(subject, clips, o.threads, report, result);
  if (!photographs.empty()) MeasurePhotographs(engine, model, photographs, o, hooks, report, result);
  report.Finish();
  if (features && !clips.empty()) MeasureDistances(subjects, others, *features, o.seed, result);
  return result;
}

}  // namespace mvd
