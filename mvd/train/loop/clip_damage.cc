#include "mvd/train/loop/clip_damage.h"

#include <cmath>

#include "mvd/train/loop/draws.h"

namespace mvd {
namespace {

constexpr double kLeastGrain = 0.02, kMostGrain = 0.2;  // standard deviations, pixels in [-1,1]
constexpr int64_t kSoftest = 8;                         // side of the squares averaged in the last frame

at::Tensor Normals(at::IntArrayRef shape, uint64_t seed, uint64_t sample) {
  const at::Tensor noise = at::empty(shape, at::kFloat);
  DrawNoise(seed, sample, NoiseKind::kPicture, {noise.data_ptr<float>(), size_t(noise.numel())});
  return noise;
}

// A blur that grows from frame to frame: each is mixed with an enlarged small copy.
at::Tensor Softened(const at::Tensor& clip) {
  const at::Tensor frames = clip.squeeze(0).permute({0, 3, 1, 2});
  const at::Tensor soft =
      at::upsample_bilinear2d(at::avg_pool2d(frames, kSoftest), {frames.size(2), frames.size(3)}, false);
  const at::Tensor share = at::linspace(0, 1, frames.size(0)).view({-1, 1, 1, 1});
  return at::lerp(frames, soft, share).permute({0, 2, 3, 1}).unsqueeze(0);
}

}  // namespace

Damage DrawDamage(uint64_t seed, uint64_t sample) {
  const double u = DrawUniforms(seed, sample)[0];
  return u < 0.5 ? Damage::kNone : Damage(1 + int64_t((u - 0.5) * 2 * double(kDamages - 1)));
}

at::Tensor Damaged(const at::Tensor& clip, Damage damage, uint64_t seed, uint64_t sample) {
  switch (damage) {
    case Damage::kNone:
      return clip;
    case Damage::kStill:
      return clip.narrow(1, 0, 1).expand(clip.sizes());
    case Damage::kShuffled:
      return clip.index_select(1, Normals({clip.size(1)}, seed, sample).argsort());
    case Damage::kGrain: {
      const double deviation =
          kLeastGrain * std::pow(kMostGrain / kLeastGrain, DrawUniforms(seed, sample)[1]);
      return clip + deviation * Normals(clip.sizes(), seed, sample);
    }
    case Damage::kBlur:
      return Softened(clip);
  }
  return clip;
}

}  // namespace mvd
