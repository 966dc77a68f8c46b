// A GPU's work of one forward and backward pass, recorded once and then launched as a whole. A small
// network's step is ten thousand kernels, which a processor launches more slowly than a GPU runs them.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

#include "mvd/torch/torch_graph.h"

namespace mvd {

class RecordedStep {
 public:
  // Inputs by name -> outputs by name; gradients go to the parameters that Run is given. It must ask the
  // device nothing and bring nothing to it: what it does then is the same in every call but for the inputs'
  // values.
  using Body = std::function<TensorMap(const TensorMap& inputs)>;

  RecordedStep();
  ~RecordedStep();
  // The first calls run `body` plainly, the next one records it, all later ones repeat what was recorded on
  // new values of `inputs`, whose names and shapes must stay. Gradients are the last call's alone. Outputs
  // are overwritten by the next call.
  TensorMap Run(const Parameters& trained, const TensorMap& inputs, const Body& body);

 private:
  struct Recording;
  std::unique_ptr<Recording> recording_;
  int plain_calls_ = 0;
};

// Whether this build can record: LibTorch with CUDA, and CUDA's headers.
bool CanRecordSteps();
// From now on this thread's work goes to a stream of its own, which alone can be recorded. CPU: nothing.
void UseOwnStream(at::Device device);

}  // namespace mvd
