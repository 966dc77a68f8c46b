#include "mvd/models/narrow_layers.h"

namespace mvd {

Funnel NarrowLayers::FunnelOf(const std::string& name, int64_t heads, int64_t from) const {
  Funnel funnel{.heads = heads, .from = from, .to = 0, .merged = false};
  if (!compression_) return funnel;
  const auto found = compression_->funnels.find(b_.Path(name));
  if (found == compression_->funnels.end()) return funnel;
  funnel.to = found->second;
  funnel.merged = compression_->funnels_merged;
  return funnel;
}

ValueId NarrowLayers::Linear(ValueId x, const std::string& name, int64_t out, bool bias) const {
  if (compression_) {
    const auto rank = compression_->low_rank.find(b_.Path(name));
    if (rank != compression_->low_rank.end()) {
      const ValueId down = b_.Linear(x, name + ".down", rank->second, false);
      return b_.Linear(down, name + ".up", out, bias);
    }
  }
  return b_.Linear(x, name, out, bias);
}

ValueId NarrowLayers::Behind(const Funnel& f, const std::string& owner, ValueId weight) const {
  return b_.WeightProduct(b_.Weight(owner + ".funnel.weight", {f.heads, f.to, f.from}), weight);
}
ValueId NarrowLayers::Before(const Funnel& f, const std::string& owner, ValueId weight) const {
  return b_.WeightProduct(weight, b_.Weight(owner + ".funnel.weight", {f.heads, f.from, f.to}));
}

ValueId NarrowLayers::LinearBehind(const Funnel& f, ValueId x, const std::string& name,
                                   const std::string& owner, bool bias) const {
  if (!f.present() || f.merged) return Linear(x, name, f.inner(), bias);
  const ValueId weight = Behind(f, owner, b_.Weight(name + ".weight", {f.outer(), b_.dims(x).c}));
  return b_.LinearWith(x, name, weight,
                       bias ? Behind(f, owner, b_.Weight(name + ".bias", {f.outer()})) : kNoValue);
}

ValueId NarrowLayers::LinearBefore(const Funnel& f, ValueId x, const std::string& name, int64_t out) const {
  if (!f.present() || f.merged) return Linear(x, name, out, true);
  return b_.LinearWith(x, name, Before(f, name, b_.Weight(name + ".weight", {out, f.outer()})),
                       b_.Weight(name + ".bias", {out}));
}

// 3x3 over a frame, or 3x1x1 over time.
ValueId NarrowLayers::ConvWeight(const std::string& name, int64_t out, int64_t in, Axis axis) const {
  const bool spatial = axis == Axis::kSpatial;
  return b_.Weight(name + ".weight", spatial ? Shape{out, in, 3, 3} : Shape{out, in, 3, 1, 1});
}

ValueId NarrowLayers::Conv(ValueId x, const std::string& name, ValueId weight, ValueId bias,
                           Axis axis) const {
  return axis == Axis::kSpatial ? b_.Conv2dWith(x, name, weight, bias)
                                : b_.ConvTemporalWith(x, name, weight, bias);
}

ValueId NarrowLayers::ConvBehind(const Funnel& f, ValueId x, const std::string& name, Axis axis) const {
  const bool product = f.present() && !f.merged;
  const int64_t out = product ? f.outer() : f.inner();
  ValueId weight = ConvWeight(name, out, b_.dims(x).c, axis), bias = b_.Weight(name + ".bias", {out});
  if (product) weight = Behind(f, name, weight), bias = Behind(f, name, bias);
  return Conv(x, name, weight, bias, axis);
}

ValueId NarrowLayers::ConvBefore(const Funnel& f, ValueId x, const std::string& name, int64_t out,
                                 Axis axis) const {
  const bool product = f.present() && !f.merged;
  ValueId weight = ConvWeight(name, out, product ? f.outer() : f.inner(), axis);
  if (product) weight = Before(f, name, weight);
  return Conv(x, name, weight, b_.Weight(name + ".bias", {out}), axis);
}

}  // namespace mvd
