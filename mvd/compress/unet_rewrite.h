// A UNet's weights, rewritten for a new config: the difference between the two configs says what is dropped,
// copied, narrowed and factorised. It goes tensor by tensor, so that a network of any size needs only the
// memory of its largest layers.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "mvd/base/cancel.h"
#include "mvd/base/parallel.h"
#include "mvd/base/weight_source.h"
#include "mvd/compress/funnels.h"
#include "mvd/models/svd_unet.h"
#include "mvd/models/unet_layout.h"

namespace mvd {

enum class FunnelInit { kCoupled, kHe };  // coupled singular values (supplement A2.2), or the baseline

struct RewriteOptions {
  FunnelInit funnel_init = FunnelInit::kCoupled;
  uint64_t seed = 0;           // of kHe
  std::optional<DType> dtype;  // f32, bf16 or f16 for every tensor; absent: each keeps its own
};

class UnetRewrite {
 public:
  // `target` was made from `source` by ApplySteps or ApplyVariant. Checks the shape of every tensor that
  // `source` describes: Error(kBadInput) naming the weights' origin and the tensor. `weights` outlives this.
  UnetRewrite(const SvdUnetConfig& source, const SvdUnetConfig& target, WeightSource& weights,
              const RewriteOptions& options = {});

  const std::map<std::string, TensorInfo>& before() const { return before_; }  // of the source
  const std::map<std::string, TensorInfo>& after() const { return after_; }    // of the target
  // Names of tensors that are removed, new, or computed anew under their old name.
  const std::vector<std::string>& dropped() const { return dropped_; }
  const std::vector<std::string>& added() const { return added_; }
  const std::vector<std::string>& changed() const { return changed_; }

  // Gives every tensor of after() to `sink` once, in any order, one call at a time. Works on layers in
  // parallel; values do not depend on the number of threads. Throws what `sink` throws, and Error(kBadInput)
  // naming origin and tensor if a weight is not finite or leaves f16's range.
  using Sink = std::function<void(const std::string& name, const TensorView& tensor)>;
  void Run(const Sink& sink, const Threads& threads, const CancelToken* cancel = nullptr,
           const Progress& progress = {});

 private:
  // A unit of work: a tensor that is copied, a pair of layers, or one layer.
  struct Job {
    enum class Kind { kCopy, kFunnels, kLowRank };
    Kind kind = Kind::kCopy;
    std::string name;  // of the tensor, or of the layer
    FunnelPair pair;
    uint64_t number = 0;   // of the pair among all pairs of the original network
    int64_t elements = 0;  // read
  };
  struct Working;

  void PlanFunnels();
  void PlanLowRank();
  void PlanCopies();
  // The tensors `makes` are computed from the layer `of` and take its type.
  void Add(Job job, const std::string& of, const std::vector<std::string>& makes);

  const SvdUnetConfig source_, target_;
  WeightSource& weights_;
  const RewriteOptions options_;
  std::map<std::string, TensorInfo> before_, after_;
  std::vector<std::string> dropped_, added_, changed_;
  std::set<std::string> made_;  // by the jobs so far
  std::vector<Job> jobs_;
};

}  // namespace mvd
