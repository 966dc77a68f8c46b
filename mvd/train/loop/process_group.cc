// Communication by c10d: NCCL for tensors on CUDA where LibTorch has it, else Gloo, which takes them by way
// of the host.
#include <ATen/ATen.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef MVD_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include "mvd/base/error.h"
#include "mvd/train/loop/heartbeat.h"
#include "mvd/train/loop/processes.h"

namespace mvd {
namespace {

// Until all are there.
constexpr std::chrono::minutes kMeeting{5};
// Rank 0 may be busy alone for long (samples, held-out losses, a checkpoint). A process that dies closes its
// connections, one that is stopped has no heartbeat: both are noticed long before this.
constexpr std::chrono::hours kPatience{24};
// Between two checks of a sum under way; a step takes a thousand times as long.
constexpr std::chrono::microseconds kLook{100};

using Store = c10::intrusive_ptr<c10d::Store>;
using Backend = c10::intrusive_ptr<c10d::Backend>;

Store MeetAtStore(const Processes& processes) {
  c10d::TCPStoreOptions options;
  options.port = uint16_t(processes.port);
  // torchrun's agent serves the store itself and says so. It lives on when the agent starts all processes
  // again.
  const char* const agent = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
  const char* const attempt = std::getenv("TORCHELASTIC_RESTART_COUNT");
  options.isServer = processes.rank == 0 && !(agent && std::strcmp(agent, "True") == 0);
  options.numWorkers = size_t(processes.world);
  options.waitWorkers = false;
  options.timeout = kMeeting;
  return c10::make_intrusive<c10d::PrefixStore>(
      StrCat("mobilevd/", attempt ? attempt : "0"),
      c10::make_intrusive<c10d::TCPStore>(processes.address, options));
}

std::unique_ptr<Heartbeat> StartHeartbeat(const Store& store, const Processes& processes) {
  constexpr char kPort[] = "heartbeat_port";
  if (processes.rank == 0) {
    auto beat = Heartbeat::Listen(processes.world);
    store->set(kPort, std::to_string(beat->port()));
    return beat;
  }
  return Heartbeat::Join(processes.address, std::stoi(store->get_to_str(kPort)), processes.rank);
}

Backend MakeGloo(const Store& store, const Processes& processes) {
  auto options = c10d::ProcessGroupGloo::Options::create(kMeeting);
  const char* const interface = std::getenv("GLOO_SOCKET_IFNAME");
  options->devices.push_back(interface ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
                                       : c10d::ProcessGroupGloo::createDefaultDevice());
  auto gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, processes.rank, processes.world, options);
  gloo->setTimeout(kPatience);
  return gloo;
}

// `host`: whether the backend takes CPU tensors only.
Backend MakeBackend(const Store& store, const Processes& processes, [[maybe_unused]] at::Device device,
                    bool* host) {
#ifdef MVD_NCCL
  if (device.is_cuda()) {
    *host = false;
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = kPatience;
    return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, processes.rank, processes.world, options);
  }
#endif
  *host = true;
  return MakeGloo(store, processes);
}

// Gloo's reasons begin with "[file:line] " and end in advice.
[[noreturn]] void Lost(int rank, std::string reason) {
  if (const size_t end = reason.find("] "); reason.starts_with('[') && end != reason.npos)
    reason.erase(0, end + 2);
  reason = reason.substr(0, std::min(reason.find('\n'), reason.find(". ")));
  throw Error(Exit::kPartial, "",
              StrCat("rank ", rank, ": another process ended or is out of reach; this one ends too (", reason,
                     "); start all again with --resume"));
}

}  // namespace

struct Communicator::Group {
  Backend backend;
  bool host = true;
  std::unique_ptr<Heartbeat> heartbeat;
  struct Pending {
    c10::intrusive_ptr<c10d::Work> work;
    at::Tensor sent, target;
    std::vector<at::Tensor> list;  // what the work points to
  };
  std::vector<Pending> pending;

  // Throws what went wrong.
  void Await(c10d::Work& work) const {
    while (!work.isCompleted()) {
      if (const int lost = heartbeat->lost(); lost >= 0)
        throw std::runtime_error(StrCat("rank ", lost, " does not answer"));
      std::this_thread::sleep_for(kLook);
    }
    work.wait();
  }

  [[noreturn]] void GiveUp(int rank, const std::exception& why) {
    // Its destructor would wait for sums that never end.
    (void)backend.release();
    pending.clear();
    Lost(rank, why.what());
  }
};

Communicator::Communicator(const Processes& processes, at::Device device)
    : processes_(processes), device_(device) {
  if (processes.world == 1) return;
  group_ = std::make_unique<Group>();
  try {
    const Store store = MeetAtStore(processes);
    group_->heartbeat = StartHeartbeat(store, processes);
    group_->backend = MakeBackend(store, processes, device, &group_->host);
  } catch (const std::exception& error) {
    Lost(processes.rank, error.what());
  }
}

Communicator::~Communicator() = default;

template <class Begin>
void Communicator::Start(at::Tensor tensor, const Begin& begin) {
  if (!group_) return;
  Group::Pending& p = group_->pending.emplace_back();
  try {
    p.target = tensor;
    p.sent = group_->host ? tensor.to(at::kCPU) : tensor;  // itself where it is on the CPU
    p.list = {p.sent};
    p.work = begin(*group_->backend, p.list);
  } catch (const std::exception& error) {
    group_->GiveUp(processes_.rank, error);
  }
}

void Communicator::StartSum(at::Tensor tensor) {
  Start(tensor,
        [](c10d::Backend& backend, std::vector<at::Tensor>& list) { return backend.allreduce(list); });
}

void Communicator::Broadcast(at::Tensor tensor) {
  Start(tensor, [](c10d::Backend& backend, std::vector<at::Tensor>& list) {
    c10d::BroadcastOptions from_rank0;
    from_rank0.rootRank = 0;
    return backend.broadcast(list, from_rank0);
  });
  Finish();
}

void Communicator::Finish() {
  if (!group_) return;
  try {
    for (Group::Pending& p : group_->pending) {
      group_->Await(*p.work);
      if (!p.target.is_same(p.sent)) p.target.copy_(p.sent);
    }
  } catch (const std::exception& error) {
    group_->GiveUp(processes_.rank, error);
  }
  group_->pending.clear();
}

std::vector<std::string> Communicator::Gather(const std::string& text) {
  if (!group_) return {text};
  // Lengths first, then all texts in rows of the longest one: a sum in which every other row is zero.
  const auto summed = [&](at::Tensor host) {
    at::Tensor tensor = host.to(device_);
    Sum(tensor);
    return tensor.to(at::kCPU);
  };
  at::Tensor lengths = at::zeros({processes_.world}, at::kLong);
  lengths[processes_.rank] = int64_t(text.size());
  lengths = summed(lengths);
  const int64_t longest = std::max<int64_t>(1, lengths.max().item<int64_t>());
  at::Tensor rows = at::zeros({processes_.world, longest}, at::kByte);
  std::memcpy(rows[processes_.rank].data_ptr(), text.data(), text.size());
  rows = summed(rows);
  std::vector<std::string> all;
  for (int i = 0; i < processes_.world; ++i) {
    const auto* bytes = static_cast<const char*>(rows[i].data_ptr());
    all.emplace_back(bytes, size_t(lengths[i].item<int64_t>()));
  }
  return all;
}

}  // namespace mvd
