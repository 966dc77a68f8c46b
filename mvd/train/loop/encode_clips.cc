// Turns a batch of clips into what the diffusion objective takes. The host's part, mostly noise, is spread
// over its threads; pixels are copied to the device as bytes, and the autoencoder encodes many frames in one
// call.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "mvd/base/check.h"
#include "mvd/base/parallel.h"
#include "mvd/data/motion_latents.h"
#include "mvd/train/loop/data.h"
#include "mvd/train/loop/diffusion.h"
#include "mvd/train/loop/tensors.h"
#include "mvd/train/run_models.h"

namespace mvd {
namespace {

// What is read or drawn on the host, for all clips of a batch.
struct HostBatch {
  at::Tensor pixels;         // (B,T,H,W,3), bytes
  at::Tensor picture_noise;  // (B,1,H,W,3)
  at::Tensor noise;          // (B,T,h,w,C)
  at::Tensor pixel_values;   // (B,1,S,S,3); undefined without an image encoder
  at::Tensor ids;            // (B,1,1,1,3)
  at::Tensor motion;         // (B,T,h,w,M); undefined where latents hold none
};

// For a fast copy to a device.
at::Tensor HostTensor(const Networks& n, std::vector<int64_t> shape, at::ScalarType type) {
  return at::empty(shape, at::TensorOptions(type).pinned_memory(n.device.is_cuda()));
}

std::span<float> Part(const at::Tensor& batch, int64_t i) {
  const int64_t size = batch.numel() / batch.size(0);
  return {batch.data_ptr<float>() + i * size, size_t(size)};
}

// A picture of values in [-1,1] as the image encoder takes it.
void FillPixelValues(const Networks& n, const TrainingClip& clip, std::span<float> out) {
  const at::Tensor first = SignedPixels(clip.pixels.data(), 1, clip.height, clip.width);
  const Tensor values = ClipPixels(FromTorch(first.squeeze(1)), n.preprocessing);
  MVD_CHECK_EQ(values.elements(), int64_t(out.size()));
  std::ranges::copy(values.f32(), out.begin());
}

HostBatch FillHostBatch(const DiffusionModel& m, const std::vector<TrainingItem>& items,
                        const std::vector<SampleDraws>& draws) {
  const Networks& n = m.networks;
  const TrainingClip& like = items.front().clip;
  const int64_t b = int64_t(items.size()), t = like.frames, h = like.height, w = like.width;
  const int64_t factor = n.autoencoder.factor(), size = n.preprocessing.size;
  HostBatch host;
  host.pixels = HostTensor(n, {b, t, h, w, 3}, at::kByte);
  host.picture_noise = HostTensor(n, {b, 1, h, w, 3}, at::kFloat);
  host.noise = HostTensor(
      n, {b, t, (h + factor - 1) / factor, (w + factor - 1) / factor, n.autoencoder.channels()}, at::kFloat);
  if (!n.image_encoder.empty()) host.pixel_values = HostTensor(n, {b, 1, size, size, 3}, at::kFloat);
  host.ids = HostTensor(n, {b, 1, 1, 1, 3}, at::kFloat);
  const int64_t motion_channels = n.autoencoder.motion_channels();
  if (motion_channels > 0)
    host.motion = HostTensor(n, {b, t, host.noise.size(2), host.noise.size(3), motion_channels}, at::kFloat);
  const uint64_t seed = uint64_t(m.config.run.seed);
  ParallelFor({at::get_num_threads()}, b, [&](int64_t i, int) {
    const auto& [clip, sample] = items[size_t(i)];
    MVD_CHECK(clip.frames == t && clip.height == h && clip.width == w, clip.name);
    std::copy(clip.pixels.begin(), clip.pixels.end(),
              host.pixels.data_ptr<uint8_t>() + i * int64_t(clip.pixels.size()));
    DrawNoise(seed, sample, NoiseKind::kPicture, Part(host.picture_noise, i));
    DrawNoise(seed, sample, NoiseKind::kLatents, Part(host.noise, i));
    if (host.pixel_values.defined()) FillPixelValues(n, clip, Part(host.pixel_values, i));
    if (host.motion.defined()) std::ranges::copy(MotionLatents(clip, factor), Part(host.motion, i).begin());
    const std::span<float> ids = Part(host.ids, i);
    ids[0] = float(FpsId(m.config, clip)), ids[1] = float(MotionBucket(m.config, clip));
    ids[2] = float(draws[size_t(i)].sigma_condition);
  });
  return host;
}

// Pixels (B,T,H,W,3) on the device, in [-1,1].
at::Tensor SignedFrames(const Networks& n, const at::Tensor& bytes) {
  return SignedBytes(bytes.to(n.device, /*non_blocking=*/true));
}

// (B,T,H,W,3) -> (B,T,h,w,C), unscaled.
at::Tensor EncodeFrames(DiffusionModel& m, const at::Tensor& frames) {
  const at::Tensor latents = EncodeImages(m.networks.autoencoder, frames.flatten(0, 1).unsqueeze(1),
                                          FramesAtOnce(frames.size(2), frames.size(3)), m.frozen);
  return latents.squeeze(1).unflatten(0, {frames.size(0), frames.size(1)});
}

// Unscaled latents (1,T,h,w,C), from the cache or by `encode`, which then fills it. The cache keeps
// (T,1,h,w,C).
template <class Encode>
at::Tensor CachedLatents(LatentCache& cache, const TrainingClip& clip, Encode encode) {
  constexpr char kName[] = "latents";
  const std::string key = cache.Key(clip);
  if (const auto found = cache.Get(key)) return ToTorch(found->at(kName).view()).transpose(0, 1);
  const at::Tensor latents = encode();
  LatentTensors entry;
  entry.emplace(kName, FromTorch(latents.transpose(0, 1)));
  cache.Put(key, entry);
  return latents;
}

struct Latents {
  at::Tensor clips, conditions;  // (B,T,h,w,C), (B,1,h,w,C), unscaled
};

// Conditions differ from step to step, so only the clips' latents are cached.
Latents EncodeCached(DiffusionModel& m, const std::vector<TrainingItem>& items, const at::Tensor& pixels,
                     const at::Tensor& picture_noise) {
  std::vector<at::Tensor> clips;
  for (size_t i = 0; i < items.size(); ++i) {
    const auto encode = [&] {
      return EncodeFrames(m, SignedFrames(m.networks, pixels.narrow(0, int64_t(i), 1)));
    };
    clips.push_back(CachedLatents(*m.cache, items[i].clip, encode).to(m.networks.device));
  }
  const at::Tensor first = SignedFrames(m.networks, pixels.narrow(1, 0, 1));
  return {at::cat(clips), EncodeFrames(m, first + picture_noise)};
}

// Each clip and its noised first frame together, as many clips at a time as one call of the encoder takes:
// a clip's pixels are bytes until then.
Latents EncodeAll(DiffusionModel& m, const at::Tensor& pixels, const at::Tensor& picture_noise) {
  const int64_t b = pixels.size(0), t = pixels.size(1);
  const int64_t step = std::max<int64_t>(1, FramesAtOnce(pixels.size(2), pixels.size(3)) / (t + 1));
  std::vector<at::Tensor> parts;
  for (int64_t i = 0; i < b; i += step) {
    const at::Tensor frames = SignedFrames(m.networks, pixels.narrow(0, i, std::min(step, b - i)));
    const at::Tensor noised = frames.narrow(1, 0, 1) + picture_noise.narrow(0, i, frames.size(0));
    parts.push_back(EncodeFrames(m, at::cat({frames, noised}, 1)));
  }
  const at::Tensor all = at::cat(parts);
  return {all.narrow(1, 0, t), all.narrow(1, t, 1)};
}

}  // namespace

EncodedClips EncodeClips(DiffusionModel& m, const std::vector<TrainingItem>& items, bool drop_conditions) {
  EncodedClips e;
  std::vector<double> kept_latents;
  for (const TrainingItem& item : items) {
    e.draws.push_back(DrawSample(uint64_t(m.config.run.seed), item.sample, DrawsOf(m.config)));
    SampleDraws& draws = e.draws.back();
    // For held-out clips, drop only the conditions that the network never sees.
    if (!drop_conditions) {
      draws.drop_image = m.config.drop_image_embedding >= 1;
      draws.drop_latent = m.config.drop_latent >= 1;
    }
    kept_latents.push_back(draws.drop_latent ? 0 : 1);
  }
  const HostBatch host = FillHostBatch(m, items, e.draws);
  const auto on_device = [&](const at::Tensor& x) {
    return x.defined() ? x.to(m.networks.device, /*non_blocking=*/true) : x;
  };
  e.noise = on_device(host.noise), e.ids = on_device(host.ids), e.pixel_values = on_device(host.pixel_values);
  const at::Tensor noise = on_device(host.picture_noise) * e.ids.narrow(4, 2, 1);
  const Latents latents =
      m.cache ? EncodeCached(m, items, host.pixels, noise) : EncodeAll(m, host.pixels, noise);
  e.latents = latents.clips * m.networks.autoencoder.scaling;
  if (host.motion.defined()) {
    const int64_t motion = host.motion.size(4);
    e.latents = at::cat({e.latents.narrow(4, 0, e.latents.size(4) - motion), on_device(host.motion)}, 4);
  }
  e.condition = latents.conditions * at::tensor(kept_latents, e.latents.options()).view({-1, 1, 1, 1, 1});
  MVD_CHECK(e.latents.sizes() == e.noise.sizes());
  return e;
}

const std::vector<EncodedClips>& HeldOutEncoded(DiffusionModel& m) {
  const CommonConfig& c = m.config;
  if (m.held_out.empty()) {
    uint64_t sample = kHeldOutSamples;
    for (TrainingClip& clip : HeldOutClips(c.data, uint64_t(c.run.seed), c.output.heldout_clips))
      m.held_out.push_back(EncodeClips(m, {{std::move(clip), sample++}}, /*drop_conditions=*/false));
  }
  return m.held_out;
}

}  // namespace mvd
