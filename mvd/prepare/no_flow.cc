// Built where OpenCV is absent.
#include "mvd/base/error.h"
#include "mvd/prepare/flow.h"

namespace mvd {

struct FlowMeter::State {};

bool HasFlow() { return false; }

FlowMeter::FlowMeter() {
  ThrowUsage(
      "this build has no optical flow: install libopencv-video-dev and libopencv-imgproc-dev and build "
      "again, or "
      "give --motion-bucket-id or motion_bucket_id in metadata.jsonl");
}
FlowMeter::~FlowMeter() = default;

double FlowMeter::MeanFlow(std::span<const Image>) { return 0; }

}  // namespace mvd
