#include "mvd/compress/unet_rewrite.h"

#include <algorithm>
#include <cmath>
#include <mutex>

namespace mvd {
namespace {

using Names = std::vector<std::string>;
using Kind = FunnelPair::Kind;

// Memory of the layers that are worked on at a time, and what a pair of convolutions takes of it: its weights
// in f32 twice, in double, and the decomposition's copy of the larger one in double.
constexpr int64_t kWorkBytes = int64_t{4} << 30;
constexpr int64_t kWorkBytesPerElement = 24;

// Shapes of weights do not depend on the sizes of a call.
std::map<std::string, TensorInfo> WeightsOf(const SvdUnetConfig& config) {
  const Graph graph = BuildSvdUnet(config, 1, 1, 8, 8);
  std::map<std::string, TensorInfo> weights;
  for (ValueId id : graph.All(Op::kWeight)) weights[graph.node(id).name] = {DType::kF32, graph.shape(id)};
  return weights;
}

// The tensors of a pair of layers by what stands beside them once a funnel is there.
struct PairTensors {
  Names first, second;  // narrowed by the first and by the second funnel
  std::string norm;     // between convolutions; empty between others
};

PairTensors TensorsOf(const FunnelPair& pair) {
  PairTensors t{{pair.first + ".weight"}, {pair.second + ".weight"}, ""};
  if (pair.kind != Kind::kConvolutions) return t;
  const std::string block = pair.first.substr(0, pair.first.rfind('.') + 1);
  for (const char* name : {"conv1.bias", "time_emb_proj.weight", "time_emb_proj.bias"})
    t.first.push_back(block + name);
  t.norm = block + "norm2";
  return t;
}

std::string FunnelName(const std::string& layer) { return layer + ".funnel.weight"; }

// A computed weight stays in a floating type that files of weights have.
DType ComputedType(DType type) { return type == DType::kBF16 || type == DType::kF16 ? type : DType::kF32; }

}  // namespace

UnetRewrite::UnetRewrite(const SvdUnetConfig& source, const SvdUnetConfig& target, WeightSource& weights,
                         const RewriteOptions& options)
    : source_(source),
      target_(target),
      weights_(weights),
      options_(options),
      before_(WeightsOf(source)),
      after_(WeightsOf(target)) {
  for (auto& [name, info] : before_) {
    const auto found = weights.Find(name);
    if (!found) ThrowBadInput(weights.Origin(), "tensor '", name, "' is missing, expected ", info.shape);
    if (found->shape != info.shape)
      ThrowBadInput(weights.Origin(), "tensor '", name, "' has shape ", found->shape, ", expected ",
                    info.shape);
    info.dtype = found->dtype;
    if (!after_.contains(name)) dropped_.push_back(name);
  }
  PlanFunnels();
  PlanLowRank();
  for (const std::string& name : made_) (before_.contains(name) ? changed_ : added_).push_back(name);
  PlanCopies();
}

void UnetRewrite::Add(Job job, const std::string& of, const Names& makes) {
  const DType type = options_.dtype.value_or(ComputedType(before_.at(of).dtype));
  for (const std::string& name : makes) {
    after_.at(name).dtype = type;
    MVD_CHECK(made_.insert(name).second, name);
  }
  jobs_.push_back(std::move(job));
}

void UnetRewrite::PlanFunnels() {
  SvdUnetConfig original = source_;
  original.compression = {};
  std::map<std::string, uint64_t> numbers;
  for (const FunnelPair& pair : FunnelPairs(original)) numbers.emplace(pair.name, numbers.size());
  const UnetCompression &from = source_.compression, &to = target_.compression;
  for (const FunnelPair& pair : FunnelPairs(target_)) {
    if (!to.funnels.contains(pair.name)) continue;
    const bool had = from.funnels.contains(pair.name);
    if (had && from.funnels_merged == to.funnels_merged) continue;  // copied as it is
    const PairTensors t = TensorsOf(pair);
    Names makes;
    if (to.funnels_merged) {
      makes = t.first;
      makes.insert(makes.end(), t.second.begin(), t.second.end());
    } else {
      MVD_CHECK(!had, pair.name, " is merged");
      makes = {FunnelName(pair.first), FunnelName(pair.second)};
    }
    if (!had && !t.norm.empty()) makes.push_back(t.norm + ".weight"), makes.push_back(t.norm + ".bias");
    Job job{Job::Kind::kFunnels, pair.name, pair, numbers.at(pair.name), 0};
    for (const Names* names : {&t.first, &t.second})
      for (const std::string& name : *names) job.elements += before_.at(name).shape.elements();
    Add(std::move(job), t.first[0], makes);
  }
}

void UnetRewrite::PlanLowRank() {
  for (const auto& [layer, rank] : target_.compression.low_rank) {
    if (source_.compression.low_rank.contains(layer)) continue;
    Names makes = {layer + ".down.weight", layer + ".up.weight"};
    if (before_.contains(layer + ".bias")) makes.push_back(layer + ".up.bias");
    const std::string weight = layer + ".weight";
    Add({Job::Kind::kLowRank, layer, {}, 0, before_.at(weight).shape.elements()}, weight, makes);
  }
}

void UnetRewrite::PlanCopies() {
  for (auto& [name, info] : after_) {
    if (made_.contains(name)) continue;
    const auto found = before_.find(name);
    MVD_CHECK(found != before_.end() && found->second.shape == info.shape, name, " of shape ", info.shape);
    info.dtype = options_.dtype.value_or(found->second.dtype);
    jobs_.push_back({Job::Kind::kCopy, name, {}, 0, info.shape.elements()});
  }
}

// One run: the weights and the sink are used by one thread at a time.
struct UnetRewrite::Working {
  const UnetRewrite& plan;
  const Sink& sink;
  std::mutex mutex;

  Tensor Load(const std::string& name);
  void Emit(const std::string& name, const TensorView& value);
  void Copy(const std::string& name);
  Funnels FunnelsOf(const Job& job);
  void Narrow(const Job& job);
  void Factorise(const Job& job);
};

Tensor UnetRewrite::Working::Load(const std::string& name) {
  std::lock_guard lock(mutex);
  Tensor value = ConvertTo(plan.weights_.Get(name), DType::kF32);
  plan.weights_.Release(name);
  return value;
}

void UnetRewrite::Working::Emit(const std::string& name, const TensorView& value) {
  const DType type = plan.after_.at(name).dtype;
  if (value.dtype == type) {
    std::lock_guard lock(mutex);
    return sink(name, value);
  }
  const Tensor converted = ConvertTo(value, type);
  if (type == DType::kF16) {
    const Tensor back = ConvertTo(converted, DType::kF32);
    for (const float x : back.view().f32())
      if (!std::isfinite(x))
        ThrowBadInput(plan.weights_.Origin(), "tensor '", name, "' leaves f16's range, expected bf16 or f32");
  }
  std::lock_guard lock(mutex);
  sink(name, converted);
}

void UnetRewrite::Working::Copy(const std::string& name) {
  if (plan.before_.at(name).dtype != plan.after_.at(name).dtype) return Emit(name, Load(name));
  std::lock_guard lock(mutex);
  sink(name, plan.weights_.Get(name));
  plan.weights_.Release(name);
}

Funnels UnetRewrite::Working::FunnelsOf(const Job& job) {
  const FunnelPair& pair = job.pair;
  if (plan.source_.compression.funnels.contains(pair.name))
    return {Load(FunnelName(pair.first)), Load(FunnelName(pair.second)), {}};
  const int64_t width = plan.target_.compression.funnels.at(pair.name);
  if (plan.options_.funnel_init == FunnelInit::kHe) {
    const Shape behind{pair.heads, width, pair.channels}, before{pair.heads, pair.channels, width};
    const uint64_t seed = plan.options_.seed, stream = 2 * job.number;
    return {HeFunnel(behind, seed, stream),
            HeFunnel(pair.kind == Kind::kQueryKey ? behind : before, seed, stream + 1),
            {}};
  }
  const Tensor w1 = Load(pair.first + ".weight"), w2 = Load(pair.second + ".weight");
  const LayerWeight first{plan.weights_.Origin(), pair.first + ".weight", w1},
      second{plan.weights_.Origin(), pair.second + ".weight", w2};
  const double factor = double(width) / double(pair.channels);
  switch (pair.kind) {
    case Kind::kQueryKey:
      return QueryKeyFunnels(first, second, pair.heads, factor);
    case Kind::kValueOutput:
      return ValueOutputFunnels(first, second, pair.heads, factor);
    case Kind::kConvolutions:
      break;
  }
  return ConvFunnels(first, second, factor);
}

void UnetRewrite::Working::Narrow(const Job& job) {
  const FunnelPair& pair = job.pair;
  const Funnels funnels = FunnelsOf(job);
  const PairTensors t = TensorsOf(pair);
  if (plan.target_.compression.funnels_merged) {
    for (const std::string& name : t.first) Emit(name, MergeBehind(funnels.first, Load(name)));
    for (const std::string& name : t.second)
      Emit(name, pair.kind == Kind::kQueryKey ? MergeBehind(funnels.second, Load(name))
                                              : MergeBefore(Load(name), funnels.second));
  } else {
    Emit(FunnelName(pair.first), funnels.first);
    Emit(FunnelName(pair.second), funnels.second);
  }
  if (t.norm.empty() || plan.source_.compression.funnels.contains(pair.name)) return;
  // The norm sits on mixed channels, for which the old one's gammas and betas mean nothing.
  Tensor ones(plan.after_.at(t.norm + ".weight").shape);
  std::fill(ones.f32().begin(), ones.f32().end(), 1.0f);
  Emit(t.norm + ".weight", ones);
  Emit(t.norm + ".bias", Tensor::Zeros(ones.shape()));
}

void UnetRewrite::Working::Factorise(const Job& job) {
  const std::string weight = job.name + ".weight";
  const Tensor value = Load(weight);
  const LowRank factors =
      LowRankFactors({plan.weights_.Origin(), weight, value}, plan.target_.compression.low_rank.at(job.name));
  Emit(job.name + ".down.weight", factors.down);
  Emit(job.name + ".up.weight", factors.up);
  if (const std::string bias = job.name + ".bias"; plan.before_.contains(bias))
    Emit(job.name + ".up.bias", Load(bias));
}

void UnetRewrite::Run(const Sink& sink, const Threads& threads, const CancelToken* cancel,
                      const Progress& progress) {
  // The longest first, so that none is left over for one thread at the end.
  std::vector<const Job*> order;
  int64_t largest = 1, all = 0, done = 0;
  for (const Job& job : jobs_) {
    order.push_back(&job);
    all += job.elements;
    if (job.kind != Job::Kind::kCopy) largest = std::max(largest, job.elements);
  }
  std::stable_sort(order.begin(), order.end(), [](const Job* a, const Job* b) {
    const bool copy_a = a->kind == Job::Kind::kCopy, copy_b = b->kind == Job::Kind::kCopy;
    return copy_a != copy_b ? copy_b : a->elements > b->elements;
  });
  const int64_t at_once = std::max<int64_t>(1, kWorkBytes / (largest * kWorkBytesPerElement));
  Working working{*this, sink, {}};
  ParallelFor({int(std::min<int64_t>(threads.count, at_once)), threads.pin}, int64_t(order.size()),
              [&](int64_t item, int) {
                if (cancel) cancel->Poll();
                const Job& job = *order[size_t(item)];
                switch (job.kind) {
                  case Job::Kind::kCopy:
                    working.Copy(job.name);
                    break;
                  case Job::Kind::kFunnels:
                    working.Narrow(job);
                    break;
                  case Job::Kind::kLowRank:
                    working.Factorise(job);
                    break;
                }
                std::lock_guard lock(working.mutex);
                done += job.elements;
                if (progress) progress("rewrite", double(done) / double(all));
              });
}

}  // namespace mvd
