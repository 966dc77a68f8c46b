// The sizes of a clip: of its frames, and of what the network sees, which are two where a decoder moves a
// picture.
#pragma once

#include <cstdint>

#include "mvd/engine/model.h"

namespace mvd {

// Whether the model's decoder moves the picture (SvdComponents::moves_picture).
bool MovesPicture(const Model& model);

struct FrameSides {
  int64_t height = 0, width = 0;
};

// The frames' size that a picture of this size gets by default from a model that moves it: its own aspect,
// the short side the model's default or the picture's own if that is less, both even.
FrameSides DefaultFrameSize(const Model& model, int64_t picture_height, int64_t picture_width);

// The network's size for such frames: their aspect at the short side that the model was trained at, multiples
// of its pixels per latent. Of other models it is the frames' own.
FrameSides NetworkSize(const Model& model, FrameSides frames);

}  // namespace mvd
