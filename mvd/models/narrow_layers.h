// The UNet's layers in the form that its config asks for: plain, joined to a neighbour by a channel funnel,
// or factorised to a low rank.
#pragma once

#include <string>

#include "mvd/ir/builder.h"
#include "mvd/models/unet_compression.h"

namespace mvd {

// A channel funnel between two layers (arXiv 2412.07583, section 3.5): `from` channels of each head become
// `to`.
struct Funnel {
  int64_t heads = 1;
  int64_t from = 0, to = 0;  // channels of a head
  bool merged = false;       // the layers are already narrow

  bool present() const { return to > 0; }
  int64_t outer() const { return heads * from; }                     // channels without the funnel
  int64_t inner() const { return heads * (present() ? to : from); }  // channels between the layers
};

// Each function works in the current scope of `b`. The weights of a layer NAME that is not merged keep their
// shape; its funnel is NAME.funnel.weight: (heads, to, from) after the first layer of a pair, (heads, from,
// to) before the second. The product is one of weights, so that folding constants merges the funnels.
class NarrowLayers {
 public:
  // `compression` null: every layer is plain.
  NarrowLayers(Builder& b, const UnetCompression* compression) : b_(b), compression_(compression) {}

  // The funnel of the pair of layers `name` between `heads` times `from` channels.
  Funnel FunnelOf(const std::string& name, int64_t heads, int64_t from) const;

  ValueId Linear(ValueId x, const std::string& name, int64_t out, bool bias) const;
  // Layers before a funnel. `owner` is the layer that the funnel's weight is named after: the layer itself,
  // or the one that it is added to.
  ValueId LinearBehind(const Funnel& f, ValueId x, const std::string& name, const std::string& owner,
                       bool bias) const;
  ValueId ConvBehind(const Funnel& f, ValueId x, const std::string& name, Axis axis) const;
  // Layers after a funnel, to `out` channels.
  ValueId LinearBefore(const Funnel& f, ValueId x, const std::string& name, int64_t out) const;
  ValueId ConvBefore(const Funnel& f, ValueId x, const std::string& name, int64_t out, Axis axis) const;

 private:
  ValueId Behind(const Funnel& f, const std::string& owner, ValueId weight) const;
  ValueId Before(const Funnel& f, const std::string& owner, ValueId weight) const;
  ValueId ConvWeight(const std::string& name, int64_t out, int64_t in, Axis axis) const;
  ValueId Conv(ValueId x, const std::string& name, ValueId weight, ValueId bias, Axis axis) const;

  Builder& b_;
  const UnetCompression* compression_;
};

}  // namespace mvd
