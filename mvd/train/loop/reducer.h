// Averages gradients over processes while the backward pass still runs.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mvd/torch/torch_graph.h"
#include "mvd/train/loop/processes.h"

namespace mvd {

// Names of trained parameters in the order in which a backward pass completes their gradients: what the loss
// runs last comes first, and each graph's weights against the order in which it reads them.
class BackwardOrderOf {
 public:
  explicit BackwardOrderOf(const Parameters& trained) : trained_(trained) {}
  // The graph's weights, named with `prefix`; those that are not trained are passed over.
  void Add(const Graph& graph, const std::string& prefix);
  void Add(const std::string& name);
  // Every trained parameter once, which is checked.
  std::vector<std::string> names() const;

 private:
  const Parameters& trained_;
  std::vector<std::string> names_;
};

// Buckets of parameters in the order in which their gradients are completed. A bucket is sent once all its
// gradients are there and every bucket before it was sent: all processes must send in one order.
class GradientReducer {
 public:
  // `order` names every parameter. Hooks stay on the parameters as long as the reducer lives.
  GradientReducer(const Parameters& parameters, const std::vector<std::string>& order, Communicator& group,
                  size_t bucket_bytes = size_t{8} << 20);
  ~GradientReducer();

  void Begin();   // before the backward pass whose gradients are complete (the last micro-batch)
  void Finish();  // after it: sends what is left, waits, and writes the means back

 private:
  struct Bucket {
    std::vector<at::Tensor> parameters;
    at::Tensor flat;
    size_t ready = 0;
  };
  void Ready(size_t bucket);
  void Send(Bucket& bucket);

  Communicator& group_;
  std::vector<Bucket> buckets_;
  size_t next_ = 0;
  bool active_ = false;
};

}  // namespace mvd
