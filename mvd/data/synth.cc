#include "mvd/data/synth.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "mvd/base/error.h"
#include "mvd/base/motion.h"
#include "mvd/data/scene_kinds.h"
#include "mvd/data/synth_motion.h"

namespace mvd {
namespace {

using synth::Builder;
using synth::Canvas;
using synth::Kind;

// Every fourth pixel each way tells the mean flow well enough, at a sixteenth of the cost.
constexpr int kFlowStep = 4;

void CheckRange(const char* name, double value, double lo, double hi) {
  if (!(value >= lo && value <= hi))
    ThrowUsage("synth: ", name, " is ", value, ", expected ", lo, " to ", hi);
}

void CheckOptions(const SynthOptions& options) {
  CheckRange("frames", double(options.frames), 2, 1024);
  CheckRange("height", double(options.height), 16, 4096);
  CheckRange("width", double(options.width), 16, 4096);
  CheckRange("fps", options.fps, 0.1, 1000);
  CheckRange("pace", options.pace, 0, 10);
  CheckRange("ranks", double(options.ranks), 1, 1e9);
  CheckRange("clips", double(options.clips), 0, 1e15);
  CheckRange("rank", double(options.rank), 0, double(options.ranks - 1));
  for (const SynthPhoto& photo : options.photos) CheckPhoto(photo);
}

// The kind by name, or drawn by shares among those that the photos allow.
const Kind& ChooseKind(const SynthOptions& options, synth::Stream& random) {
  int shares = 0;
  for (const Kind& kind : synth::Kinds()) {
    const bool possible = !kind.needs_photos || !options.photos.empty();
    if (kind.name == options.kind) {
      if (!possible) ThrowUsage("synth: scenes of kind ", kind.name, " need photos, found none");
      return kind;
    }
    if (possible) shares += kind.share;
  }
  if (!options.kind.empty()) ThrowUsage("synth: no kind of scene named '", options.kind, "'");
  int drawn = random.Int(shares);
  const Kind* kind = synth::Kinds().data();
  for (;; ++kind) {
    if (kind->needs_photos && options.photos.empty()) continue;
    if ((drawn -= kind->share) < 0) return *kind;
  }
}

// Linear light -> bytes: gamma 2, and a fixed pattern of less than one step so that soft gradients have no
// bands.
void ToBytes(const Canvas& canvas, uint8_t* bytes) {
  for (int y = 0; y < canvas.height; ++y) {
    for (int x = 0; x < canvas.width; ++x) {
      const synth::V4 color = canvas.pixels[size_t(y) * canvas.width + x].v;
      // Roberts' low-discrepancy sequence in integers: no two neighbours alike.
      const uint32_t mask = uint32_t(x) * 3242174889u + uint32_t(y) * 2447445414u;
      const float dither = 0.1f + 0.8f * synth::Unit(mask);
      for (int c = 0; c < 3; ++c) *bytes++ = uint8_t(std::sqrt(synth::Clamp01(color[c])) * 254.999f + dither);
    }
  }
}

struct Rendered {
  std::string kind;
  bool exact_flow;
  double mean_flow;
};

// TrainingClip::cell_flow as it comes about.
class CellFlow {
 public:
  explicit CellFlow(const SynthOptions& o)
      : height_(o.height), width_(o.width), sums_(size_t(o.frames - 1) * kFlowRows * kFlowColumns * 3) {}

  void Add(int t, int x, int y, float dx, float dy) {
    const int64_t row = y * kFlowRows / height_, column = x * kFlowColumns / width_;
    double* sum = &sums_[size_t((t * kFlowRows + row) * kFlowColumns + column) * 3];
    sum[0] += dx, sum[1] += dy, sum[2] += 1;
  }
  std::vector<float> Means() const {
    const double diagonal = std::sqrt(double(height_ * height_ + width_ * width_));
    std::vector<float> means;
    for (size_t i = 0; i < sums_.size(); i += 3) {
      const double scale = 1 / (diagonal * std::max(sums_[i + 2], 1.0));
      means.push_back(float(sums_[i] * scale)), means.push_back(float(sums_[i + 1] * scale));
    }
    return means;
  }

 private:
  int64_t height_, width_;
  std::vector<double> sums_;  // x, y, how many, of each cell
};

// `flow` may be null: then only the mean is measured.
Rendered RenderScene(const SynthOptions& options, uint64_t index, TrainingClip& clip,
                     std::vector<float>* flow) {
  CheckOptions(options);
  Builder builder(options, index);
  const Kind& kind = ChooseKind(options, builder.random);
  kind.build(builder);
  const synth::Scene& scene = builder.scene;
  MVD_CHECK(!scene.elements.empty() && scene.elements.size() <= 255, kind.name);
  clip.frames = options.frames, clip.height = options.height, clip.width = options.width;
  clip.fps = options.fps;
  clip.name = StrCat("synth:", options.seed, ":", index);
  const size_t pixels = size_t(options.height) * size_t(options.width);
  clip.pixels.resize(size_t(options.frames) * pixels * 3);
  if (flow) flow->resize(size_t(options.frames - 1) * pixels * 2);
  clip.kind = &kind - synth::Kinds().data();
  CellFlow cells(options);
  synth::MotionOfClip motion(scene);
  Canvas canvas(scene.width, scene.height);
  double sum = 0, count = 0;
  for (int t = 0; t < scene.frames; ++t) {
    std::fill(canvas.pixels.begin(), canvas.pixels.end(), synth::Texel{synth::V4{0, 0, 0, 1}});
    std::fill(canvas.owner.begin(), canvas.owner.end(), uint8_t{0});
    synth::PaintFrame(scene, t, canvas);
    ToBytes(canvas, &clip.pixels[size_t(t) * pixels * 3]);
    motion.Add(t, canvas);
    if (t + 1 == scene.frames) break;
    for (int y = 0; y < scene.height; ++y) {
      for (int x = 0; x < scene.width; ++x) {
        const bool counts = x % kFlowStep == kFlowStep / 2 && y % kFlowStep == kFlowStep / 2;
        if (!counts && !flow) continue;
        const auto [dx, dy] = synth::FlowTo(scene, canvas, t, t + 1, x, y);
        if (counts)
          sum += std::sqrt(double(dx) * dx + double(dy) * dy), count += 1, cells.Add(t, x, y, dx, dy);
        if (!flow) continue;
        float* out = &(*flow)[(size_t(t) * pixels + size_t(y) * scene.width + x) * 2];
        out[0] = dx, out[1] = dy;
      }
    }
  }
  const double mean = sum / count;
  clip.cell_flow = cells.Means();
  clip.motion = motion.Take();
  clip.motion_bucket_id = MotionBucket(mean, options.height, options.width);
  return {kind.name, kind.exact_flow, mean};
}

// A source's clips by their number, made or remembered. Several threads ask at once.
class SourceClips {
 public:
  explicit SourceClips(const SynthOptions& options) : options_(options) {
    if (options.keep && options.clips > 0) kept_.resize(size_t(options.clips));
  }

  TrainingClip Get(uint64_t n) {
    const uint64_t index = options_.clips > 0 ? n % uint64_t(options_.clips) : n;
    if (const auto known = Kept(index)) return *known;
    TrainingClip clip;
    RenderScene(options_, index, clip, nullptr);
    if (!kept_.empty()) {
      auto copy = std::make_shared<const TrainingClip>(clip);
      const std::lock_guard lock(mutex_);
      kept_[size_t(index)] = std::move(copy);
    }
    return clip;
  }

 private:
  std::shared_ptr<const TrainingClip> Kept(uint64_t index) {
    if (kept_.empty()) return nullptr;
    const std::lock_guard lock(mutex_);
    return kept_[size_t(index)];
  }

  const SynthOptions options_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<const TrainingClip>> kept_;
};

}  // namespace

void CheckPhoto(const SynthPhoto& photo) {
  if (photo.width < 1 || photo.height < 1 ||
      photo.rgb.size() != size_t(photo.width) * size_t(photo.height) * 3)
    ThrowUsage("synth: a photo of ", photo.width, "x", photo.height, " has ", photo.rgb.size(),
               " bytes, expected width * height * 3");
}

std::vector<SynthKind> SynthKinds() {
  std::vector<SynthKind> kinds;
  for (const Kind& kind : synth::Kinds())
    kinds.push_back({kind.name, kind.shows, kind.exact_flow, kind.needs_photos, kind.tells_way});
  return kinds;
}

SynthClip RenderSynthClip(const SynthOptions& options, uint64_t index) {
  SynthClip result;
  const Rendered rendered = RenderScene(options, index, result.clip, &result.flow);
  result.kind = rendered.kind;
  result.exact_flow = rendered.exact_flow;
  result.mean_flow = rendered.mean_flow;
  return result;
}

std::unique_ptr<ClipSource> MakeSynthSource(const SynthOptions& options) {
  CheckOptions(options);
  const auto clips = std::make_shared<SourceClips>(options);
  return MakeSeriesSource(
      Series("synth", options.seed, options.rank, options.ranks),
      [clips](uint64_t n) { return clips->Get(n); }, options.ahead);
}

}  // namespace mvd
