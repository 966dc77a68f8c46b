// The UNet's transformer over space and then time, diffusers' TransformerSpatioTemporalModel.
#pragma once

#include "mvd/ir/builder.h"
#include "mvd/models/unet_compression.h"

namespace mvd {

struct TransformerOptions {
  int64_t heads = 1;
  int64_t layers = 1;
  bool temporal = true;     // false: the spatial layers alone
  ValueId gate = kNoValue;  // of the temporal branch, one number
  // Frame i is embedded as the number frame_scale * i + frame_shift.
  double frame_scale = 1, frame_shift = 0;
  const UnetCompression* compression = nullptr;
  int64_t groups = 32;  // of the norm in front
};

// x (B,T,h,w,C) plus the output of the blocks; called inside the scope of its weights. `context` is
// (B,1,1,1,D), `frame_context` the same repeated to (B,T,1,1,D). The context is one token, but the original
// computes queries, keys and their softmax for it, for each frame and each pixel. So does this graph, and a
// pass may fold it. If `compression` says that it is folded already, the values are still computed for each
// frame and pixel, as the paper counts them; another pass evaluates them once.
ValueId SpatioTemporalTransformer(Builder& b, ValueId x, ValueId context, ValueId frame_context,
                                  const TransformerOptions& options);

}  // namespace mvd
