// A model's figures on clips and photographs that it never saw, beside those of two baselines: the picture
// standing still, and noise.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mvd/data/synth.h"
#include "mvd/evaluate/clip_maker.h"
#include "mvd/evaluate/video_features_model.h"
#include "mvd/measure/statistics.h"

namespace mvd {

struct EvaluationOptions {
  SvdOptions pipeline;                                    // size, frames, steps, rate, guidance
  uint64_t seed = 0;                                      // of noise and intervals
  std::vector<double> buckets = {20, 60, 100, 140, 180};  // asked for on photographs
  Threads threads;
  bool calibrate = false;  // all baselines, which show what the measures hear
};

// Real clips: those that the model's are held against, and other sets by name, with as many clips. Of the set
// kOthers clips share nothing with the held-out ones but their kind; clips of other sets answer them one by
// one (the same scenes at another speed).
inline constexpr char kOthers[] = "other real";
struct EvaluationClips {
  std::vector<SynthClip> held_out;
  std::map<std::string, std::vector<SynthClip>> others;
};

// One line of the report. Subjects: "model"; the names of Baselines(); "decoded", the real clips through the
// autoencoder: the best that a model behind it can do; "real", the clips themselves; the names of
// EvaluationClips::others.
struct Figure {
  std::string measure, unit, subject;
  Interval interval;
};

struct EvaluationReport {
  std::vector<Figure> figures;
  std::optional<double> bucket_spearman;  // of bucket and motion, over all photographs' clips
  // Mean flow error by kind of scene, pixels; smaller is better. Only kinds whose flow is exact.
  struct KindError {
    double model = 0, still = 0;
    int64_t clips = 0;
    bool better() const { return model < still; }  // than the picture standing still
  };
  std::map<std::string, KindError> kinds;
};

// `photographs` are (H,W,3) in [0,1], of the clips' size. Frechet distances are left out without `features`.
EvaluationReport Evaluate(SvdEngine& engine, const Model& model, const EvaluationClips& clips,
                          const std::vector<std::vector<float>>& photographs, VideoFeatures* features,
                          const EvaluationOptions& options, const SampleHooks& hooks);

FloatClip ToFloat(const TrainingClip& clip);

}  // namespace mvd
