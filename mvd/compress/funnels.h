// Channel funnels of MobileVD (arXiv 2412.07583, section on funnels; supplement A2.2): small matrices that
// reduce the channels between two layers. In training they are separate weights; afterwards they are
// multiplied into the layers. Everything is f32 in the layouts of weight files: linears (out,in),
// convolutions (out,in,kh,kw) or (out,in,kt,1,1). Sums are in double.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mvd/base/tensor.h"

namespace mvd {

// One layer's weight, and where it came from, for messages. Any floating type.
struct LayerWeight {
  std::string file;
  std::string name;
  TensorView value;
};

// A pair of funnels, each (heads, rows, columns): head h acts on its own slice of channels, y_h = F_h x_h.
// A convolution pair is one head. `singular_values`, if the initialisation gives them, are those of each
// head's product, falling. Head h has [h * inner, (h+1) * inner). Those from the width on are lost in the
// funnels (Eckart-Young: the product's squared Frobenius error is the sum of their squares).
struct Funnels {
  Tensor first, second;
  std::vector<double> singular_values;
};

// The three initialisations below throw Error(kBadInput) naming file and tensor if ranks or sizes do not fit
// or a weight is not finite, and Error(kUsage) for a factor outside (0,1].

// Query and key, both (heads * d, in): first = F_q, second = F_k, both (heads, d', d), d' = FunnelWidth(d).
// (F_q W_q)^T (F_k W_k) is the best approximation of W_q^T W_k of rank d' in every head. (CSI per head,
// because the logits are one bilinear form per head.) The softmax scale stays that of d, because the new
// logits approximate the old ones.
Funnels QueryKeyFunnels(const LayerWeight& query, const LayerWeight& key, int64_t heads, double factor);

// Value (heads * d, in) and output projection (out, heads * d): first (heads, d', d) behind the value,
// second (heads, d, d') before the output.
Funnels ValueOutputFunnels(const LayerWeight& value, const LayerWeight& output, int64_t heads, double factor);

// Two convolutions in a row, (c, in, k...) and (out, c, k...), 2D or 3D: first (1, c', c) behind the one,
// second (1, c, c') before the other, c' = ConvFunnelWidth(c). The product is that of the kernels reshaped as
// in A1, (c) x (in k), and A2, (out k) x (c). It ignores the norm and activation between the two.
Funnels ConvFunnels(const LayerWeight& conv1, const LayerWeight& conv2, double factor);

// A funnel of N(0, 2 / fan_in) numbers (He), fan_in the last axis: the baseline of the paper's Table 4.
Tensor HeFunnel(const Shape& shape, uint64_t seed, uint64_t stream);

// F W: funnel (heads, d', d) behind a layer with weight (heads * d, ...) or bias (heads * d).
Tensor MergeBehind(const TensorView& funnel, const TensorView& weight);
// W F: funnel (heads, d, d') before a layer with weight (out, heads * d, ...).
Tensor MergeBefore(const TensorView& weight, const TensorView& funnel);

// One layer as two, (out,in) ~ up (out,rank) * down (rank,in): the truncated SVD of the paper's Table 5.
struct LowRank {
  Tensor down, up;
  std::vector<double> singular_values;  // of the layer, falling
};
// 1 <= rank <= min(out,in), else Error(kUsage); Error(kBadInput) as above.
LowRank LowRankFactors(const LayerWeight& layer, int64_t rank);

}  // namespace mvd
