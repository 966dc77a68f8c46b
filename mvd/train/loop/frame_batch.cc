#include "mvd/train/loop/frame_batch.h"

#include <ATen/ATen.h>

#include <array>

#include "mvd/base/motion.h"
#include "mvd/data/motion_latents.h"
#include "mvd/train/loop/draws.h"
#include "mvd/train/loop/tensors.h"

namespace mvd {
namespace {

// Which frames of a clip an autoencoder with motion is trained on: `count` of those behind the first.
std::vector<int64_t> DrawFrames(uint64_t seed, uint64_t sample, int64_t frames, int64_t count) {
  const std::array<double, 4> draws = DrawUniforms(seed, sample);
  std::vector<int64_t> chosen;
  for (int64_t i = 0; i < count; ++i)
    chosen.push_back(1 + int64_t(draws[size_t(i) % draws.size()] * double(frames - 1)));
  return chosen;
}

FrameBatch PictureBatch(const std::vector<TrainingItem>& items, at::Device device) {
  std::vector<at::Tensor> pictures;
  for (const TrainingItem& item : items)
    pictures.push_back(
        SignedPixels(item.clip.pixels.data(), item.clip.frames, item.clip.height, item.clip.width));
  return {at::cat(pictures).to(device), {}};
}

FrameBatch ClipBatch(const TaesdConfig& config, const std::vector<TrainingItem>& items, uint64_t seed,
                     int64_t count, at::Device device) {
  std::vector<at::Tensor> images, pictures, latents, travels;
  const int64_t factor = ScaleFactor(config);
  for (const auto& [clip, sample] : items) {
    const at::Tensor pixels = SignedPixels(clip.pixels.data(), clip.frames, clip.height, clip.width);
    const std::vector<int64_t> frames = DrawFrames(seed, sample, clip.frames, count);
    const at::Tensor index = at::tensor(frames, at::kLong);
    std::vector<float> motion = MotionLatents(clip, factor);
    const at::Tensor all =
        at::tensor(motion, at::kFloat)
            .view({clip.frames, -1, (clip.width + factor - 1) / factor, MotionChannels(factor)});
    std::vector<float> travel;
    for (const int64_t t : frames) travel.push_back(float(MotionTravel(clip.motion_bucket_id, t)));
    images.push_back(pixels.index_select(0, index));
    pictures.push_back(pixels.narrow(0, 0, 1));
    latents.push_back(all.index_select(0, index));
    travels.push_back(at::tensor(travel, at::kFloat).view({-1, 1, 1, 1}));
  }
  return {at::cat(images).to(device),
          {at::stack(pictures).squeeze(2).to(device), at::stack(latents).to(device),
           at::stack(travels).to(device)}};
}

constexpr int64_t kFramesOfClip = 2;  // of each clip in a step, where there is motion

}  // namespace

FrameBatch MakeFrameBatch(const TaesdConfig& config, const std::vector<TrainingItem>& items, uint64_t seed,
                          at::Device device) {
  return config.motion_channels > 0 ? ClipBatch(config, items, seed, kFramesOfClip, device)
                                    : PictureBatch(items, device);
}

// (B T,1,h,w,C) of the encoder and the motion, as the decoder of clips takes it: (B,T,h,w,C).
at::Tensor WithMotion(const at::Tensor& latent, const ClipMotion& motion) {
  const int64_t b = motion.latents.size(0), t = motion.latents.size(1);
  const at::Tensor seen = latent.narrow(4, 0, latent.size(4) - motion.latents.size(4));
  return at::cat({seen.squeeze(1).unflatten(0, {b, t}), motion.latents}, 4);
}

}  // namespace mvd
