// Single frames for autoencoders: random parts of photographs, and frames of drawn scenes between them.
#pragma once

#include <memory>

#include "mvd/data/clip_source.h"
#include "mvd/data/synth.h"

namespace mvd {

struct PictureOptions {
  uint64_t seed = 0;
  int64_t height = 128, width = 256;
  int64_t rank = 0, ranks = 1;     // this source takes pictures rank, rank + ranks, ...
  std::vector<SynthPhoto> photos;  // at least one
  ReadAhead ahead;
};

// Picture `index` is always the same bytes: three in four are parts of a photograph, from all that fits down
// to a third of it, mirrored or not, resampled more or less sharply; the others are first frames of synth
// clips. Clips of one frame. Position: "pictures:SEED:RANK/RANKS:NEXT". Throws Error(kUsage) for sizes
// outside height and width 16 to 4096, without photos, or for photos whose bytes are not width * height * 3.
std::unique_ptr<ClipSource> MakePictureSource(PictureOptions options);

// The middle of a photograph, as much as fits, at this size: what held-out figures are taken on.
TrainingClip MiddleOfPhoto(const SynthPhoto& photo, int64_t height, int64_t width);

}  // namespace mvd
