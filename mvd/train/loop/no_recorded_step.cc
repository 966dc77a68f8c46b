// Where LibTorch has no CUDA, or CUDA's headers are not to be had.
#include "mvd/base/check.h"
#include "mvd/train/loop/recorded_step.h"

namespace mvd {

struct RecordedStep::Recording {};

RecordedStep::RecordedStep() = default;
RecordedStep::~RecordedStep() = default;

TensorMap RecordedStep::Run(const Parameters&, const TensorMap&, const Body&) {
  MVD_CHECK(false, "steps cannot be recorded");
  return {};
}

bool CanRecordSteps() { return false; }

void UseOwnStream(at::Device) {}

}  // namespace mvd
