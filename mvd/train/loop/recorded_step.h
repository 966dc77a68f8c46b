// The GPU work of one forward and backward pass, recorded once and then launched as a whole. A small
// network's step has ten thousand kernels, which a CPU launches more slowly than a GPU runs them.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

#include "mvd/torch/torch_graph.h"

namespace mvd {

class RecordedStep {
 public:
  // Inputs by name -> outputs by name; gradients go to the parameters that Run is given. It must neither read
  // from the device nor copy to it, so that every call does the same except for the values of the inputs.
  using Body = std::function<TensorMap(const TensorMap& inputs)>;

  RecordedStep();
  ~RecordedStep();
  // The first calls just run `body`, the next one records it, and all later ones replay the recording on new
  // values of `inputs`, whose names and shapes must not change. Gradients are replaced, not added to. The
  // next call overwrites the outputs.
  TensorMap Run(const Parameters& trained, const TensorMap& inputs, const Body& body);

 private:
  struct Recording;
  std::unique_ptr<Recording> recording_;
  int plain_calls_ = 0;
};

// Whether this build can record: LibTorch with CUDA, and CUDA's headers.
bool CanRecordSteps();
// From now on this thread's work goes to a stream of its own; only such a stream can be recorded. No effect
// on a CPU.
void UseOwnStream(at::Device device);

}  // namespace mvd
