// Sums over processes by c10d: Gloo, which also carries CUDA tensors by way of the host.
#include <ATen/ATen.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "mvd/base/error.h"
#include "mvd/train/loop/processes.h"

namespace mvd {
namespace {

// How long the others may be busy alone (samples, held-out loss, a checkpoint of rank 0). A process that dies
// closes its connections, which is noticed at once.
constexpr std::chrono::minutes kSilence{30};
constexpr std::chrono::seconds kMeeting{300};

[[noreturn]] void Lost(int rank, const std::exception& why) {
  std::string reason = why.what();
  reason = reason.substr(0, reason.find('\n'));
  throw Error(Exit::kPartial, "",
              StrCat("rank ", rank, ": another process ended or is out of reach; this one ends too (", reason,
                     "); start all again with --resume"));
}

}  // namespace

struct Communicator::Group {
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
  struct Pending {
    c10::intrusive_ptr<c10d::Work> work;
    at::Tensor host, target;
    std::vector<at::Tensor> list;  // what the work points to
  };
  std::vector<Pending> pending;
};

Communicator::Communicator(const Processes& processes, at::Device device)
    : processes_(processes), device_(device) {
  if (processes.world == 1) return;
  group_ = std::make_unique<Group>();
  try {
    c10d::TCPStoreOptions store_options;
    store_options.port = uint16_t(processes.port);
    // torchrun's agent serves the store itself and says so.
    const char* const agent = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
    store_options.isServer = processes.rank == 0 && !(agent && std::strcmp(agent, "True") == 0);
    store_options.numWorkers = size_t(processes.world);
    store_options.waitWorkers = false;
    store_options.timeout = kMeeting;
    const auto store = c10::make_intrusive<c10d::TCPStore>(processes.address, store_options);
    auto options = c10d::ProcessGroupGloo::Options::create(kSilence);
    const char* const interface = std::getenv("GLOO_SOCKET_IFNAME");
    options->devices.push_back(interface ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
                                         : c10d::ProcessGroupGloo::createDefaultDevice());
    group_->gloo =
        c10::make_intrusive<c10d::ProcessGroupGloo>(store, processes.rank, processes.world, options);
  } catch (const std::exception& error) {
    Lost(processes.rank, error);
  }
}

Communicator::~Communicator() = default;

void Communicator::StartSum(at::Tensor tensor) {
  if (!group_) return;
  try {
    Group::Pending p;
    p.target = tensor;
    p.host = tensor.is_cpu() ? tensor : tensor.to(at::kCPU);
    p.list = {p.host};
    p.work = group_->gloo->allreduce(p.list);
    group_->pending.push_back(std::move(p));
  } catch (const std::exception& error) {
    Lost(processes_.rank, error);
  }
}

void Communicator::Finish() {
  if (!group_) return;
  try {
    for (Group::Pending& p : group_->pending) {
      p.work->wait();
      if (!p.target.is_same(p.host)) p.target.copy_(p.host);
    }
  } catch (const std::exception& error) {
    group_->pending.clear();
    Lost(processes_.rank, error);
  }
  group_->pending.clear();
}

std::vector<std::string> Communicator::Gather(const std::string& text) {
  if (!group_) return {text};
  // Lengths first, then all texts in rows of the longest one: a sum in which every other row is zero.
  at::Tensor lengths = at::zeros({processes_.world}, at::kLong);
  lengths[processes_.rank] = int64_t(text.size());
  Sum(lengths);
  const int64_t longest = std::max<int64_t>(1, lengths.max().item<int64_t>());
  at::Tensor rows = at::zeros({processes_.world, longest}, at::kByte);
  std::memcpy(rows[processes_.rank].data_ptr(), text.data(), text.size());
  Sum(rows);
  std::vector<std::string> all;
  for (int i = 0; i < processes_.world; ++i) {
    const auto* bytes = static_cast<const char*>(rows[i].data_ptr());
    all.emplace_back(bytes, size_t(lengths[i].item<int64_t>()));
  }
  return all;
}

}  // namespace mvd
