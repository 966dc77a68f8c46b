// Averages gradients over processes while the backward pass still runs.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mvd/torch/torch_graph.h"
#include "mvd/train/loop/processes.h"

namespace mvd {

// Buckets of parameters in the order their gradients come about; a bucket is sent once all of its gradients
// are there and every bucket before it was sent, so that all processes send in one order.
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
