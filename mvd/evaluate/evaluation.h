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
};

// One line of the report. Subjects: "model"; "still", the first frame repeated; "noise", uniform pixels;
// "decoded", the real clips through the autoencoder: the best that a model behind it can do; "real", the
// clips themselves, or other ones of the same kind.
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

// `clips` are the held-out ones, `others` as many more from the same source, for what real clips differ by.
// `photographs` are (H,W,3) in [0,1], of the clips' size. Frechet distances are left out without `features`.
EvaluationReport Evaluate(SvdEngine& engine, const Model& model, const std::vector<SynthClip>& clips,
                          const std::vector<SynthClip>& others,
                          const std::vector<std::vector<float>>& photographs, VideoFeatures* features,
                          const EvaluationOptions& options, const SampleHooks& hooks);

FloatClip ToFloat(const TrainingClip& clip);

}  // namespace mvd
