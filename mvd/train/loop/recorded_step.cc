// Recording with CUDA graphs. Builds without CUDA have no_recorded_step.cc in its place.
#include "mvd/train/loop/recorded_step.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAStream.h>

#include "mvd/base/check.h"

namespace mvd {
namespace {

constexpr int kPlainCalls = 3;  // in which libraries choose kernels and allocate memory

}  // namespace

struct RecordedStep::Recording {
  at::cuda::CUDAGraph graph;
  TensorMap inputs, outputs, gradients;
};

RecordedStep::RecordedStep() = default;
RecordedStep::~RecordedStep() = default;

TensorMap RecordedStep::Run(const Parameters& trained, const TensorMap& inputs, const Body& body) {
  if (plain_calls_ < kPlainCalls) {
    ++plain_calls_;
    return body(inputs);
  }
  if (!recording_) {
    recording_ = std::make_unique<Recording>();
    for (const auto& [name, value] : inputs) recording_->inputs[name] = value.detach().clone();
    // The recorded pass must allocate the gradients itself, at the addresses that every replay writes to.
    for (const auto& [name, parameter] : trained) parameter.mutable_grad().reset();
    recording_->graph.capture_begin();
    recording_->outputs = body(recording_->inputs);
    recording_->graph.capture_end();
    for (const auto& [name, parameter] : trained)
      if (parameter.grad().defined()) recording_->gradients[name] = parameter.grad();
  }
  MVD_CHECK_EQ(inputs.size(), recording_->inputs.size());
  for (const auto& [name, value] : inputs) {
    at::Tensor& place = recording_->inputs.at(name);
    MVD_CHECK(place.sizes() == value.sizes(), name);
    place.copy_(value);
  }
  recording_->graph.replay();
  for (const auto& [name, gradient] : recording_->gradients) trained.at(name).mutable_grad() = gradient;
  return recording_->outputs;
}

bool CanRecordSteps() { return true; }

void UseOwnStream(at::Device device) {
  if (device.is_cuda())
    c10::cuda::setCurrentCUDAStream(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index()));
}

}  // namespace mvd
