// Several processes that train one model: who they are, from torchrun's or Slurm's variables, and sums over
// them.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mvd {

struct Processes {
  int rank = 0, world = 1, local_rank = 0;
  std::string address;  // of rank 0
  int port = 0;
};

// RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT, as torchrun sets them; else SLURM_PROCID,
// SLURM_NTASKS, SLURM_LOCALID with the two MASTER_ variables. One process where neither is there.
// Error(kUsage) naming the variable that is missing or makes no sense.
Processes ReadProcesses();

// Every process calls the same functions in the same order. With one process all are no-ops. A process that
// dies, or runs no more (heartbeat.h), makes the others' next call throw an Error(kPartial) that says so. A
// sum of tensors on CUDA is complete for what runs on the current stream afterwards.
class Communicator {
 public:
  Communicator(const Processes& processes, at::Device device);
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return processes_.rank; }
  int world() const { return processes_.world; }

  // Sums in place over processes. Start returns at once; `tensor` is not to be touched before Finish.
  void StartSum(at::Tensor tensor);
  void Finish();
  void Sum(at::Tensor tensor) {
    StartSum(tensor);
    Finish();
  }
  // Every process's tensor becomes rank 0's, to the bit.
  void Broadcast(at::Tensor tensor);
  // Every process's text, by rank.
  std::vector<std::string> Gather(const std::string& text);
  // What only rank 0 does, such as reading and writing the run's folder, which other machines need not see.
  // Every process waits for it and gets the text that `work` returns. An exception of it ends every process:
  // rank 0 throws it on, the others an Error with its exit code that names rank 0.
  std::string OnRank0(const std::function<std::string()>& work);

 private:
  struct Group;
  // Begins an operation on `tensor` that Finish waits for.
  template <class Begin>
  void Start(at::Tensor tensor, const Begin& begin);
  Processes processes_;
  at::Device device_;
  std::unique_ptr<Group> group_;
};

}  // namespace mvd
