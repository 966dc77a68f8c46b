// Many clips from many pictures by one model, stage by stage, so that each network is loaded once.
#pragma once

#include <cstdint>
#include <vector>

#include "mvd/engine/svd_engine.h"
#include "mvd/measure/clip_measures.h"

namespace mvd {

struct ClipRequest {
  std::vector<float> picture;  // (H,W,3) in [0,1], of the clip's size
  double motion_bucket_id = 127;
  uint64_t seed = 0;
};

// `options` holds size, frames, steps, rate and guidance; bucket and seed come from each request. Noise is
// Philox's. Throws as the pipeline does; `hooks` may cancel and hears the share done.
std::vector<FloatClip> MakeClips(SvdEngine& engine, const Model& model,
                                 const std::vector<ClipRequest>& requests, const SvdOptions& options,
                                 const SampleHooks& hooks);

struct RealClip {
  FloatClip clip;  // of any number of frames, of the options' size
  // For a decoder that moves the picture: MotionLatents of the clip, and the bucket that they are counted in.
  std::vector<float> motion;
  double motion_bucket_id = 127;
};

// Each frame through encoder and decoder alone.
std::vector<FloatClip> Reconstruct(SvdEngine& engine, const Model& model, const std::vector<RealClip>& clips,
                                   const SvdOptions& options, const SampleHooks& hooks);

}  // namespace mvd
