// Replaces process_group.cc where Gloo's headers are missing: one process only.
#include "mvd/base/error.h"
#include "mvd/train/loop/processes.h"

namespace mvd {

struct Communicator::Group {};

Communicator::Communicator(const Processes& processes, at::Device device)
    : processes_(processes), device_(device) {
  if (processes.world > 1)
    ThrowUsage(processes.world, " processes: this mobilevd was built without Gloo's headers (libgloo-dev)");
}
Communicator::~Communicator() = default;
void Communicator::StartSum(at::Tensor) {}
void Communicator::Finish() {}
void Communicator::Broadcast(at::Tensor) {}
std::vector<std::string> Communicator::Gather(const std::string& text) { return {text}; }

}  // namespace mvd
