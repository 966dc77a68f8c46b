// Stands for data prepare in a build without its libraries: says which they are.
#include "mvd/base/error.h"
#include "mvd/prepare/flow.h"
#include "mvd/prepare/prepare.h"

namespace mvd {

PrepareReport Prepare(const PrepareOptions&, const Progress&) {
  ThrowUsage(
      "data prepare: this build lacks FFmpeg, libarchive or OpenCV: configure with -DMVD_PREPARE=ON, which "
      "says what "
      "to install");
}

bool CanMeasureFlow() { return false; }
struct FlowMeter::State {};
FlowMeter::FlowMeter() {
  ThrowUsage("optical flow: this build lacks OpenCV: configure with -DMVD_PREPARE=ON");
}
FlowMeter::~FlowMeter() = default;
double FlowMeter::MeanFlow(std::span<const Image>) { return 0; }
std::vector<float> FlowMeter::Flow(const Image&, const Image&) { return {}; }

}  // namespace mvd
