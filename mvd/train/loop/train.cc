// The entry points of mvd/train/train.h, where LibTorch is built in.
#include "mvd/train/train.h"

#include <ATen/Context.h>
#include <c10/util/Exception.h>

#include <new>

#include "mvd/base/error.h"
#include "mvd/train/loop/adversarial.h"
#include "mvd/train/loop/autoencoder.h"
#include "mvd/train/loop/diffusion.h"
#include "mvd/train/loop/features.h"
#include "mvd/train/loop/loop.h"
#include "mvd/train/loop/recorded_step.h"
#include "mvd/train/loop/tensors.h"

namespace mvd {
namespace {

// LibTorch's failures are many lines with a trace of the stack.
[[noreturn]] void Rethrow(const c10::Error& error) {
  const std::string what = error.what_without_backtrace();
  const bool memory = dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr;
  if (memory || what.find("DefaultCPUAllocator") != what.npos) throw std::bad_alloc();
  throw Error(Exit::kInternal, "", "internal error: LibTorch: " + what.substr(0, what.find('\n')));
}

template <class Config>
TrainResult Train(const Config& config, RunMode mode, const TrainHooks& hooks,
                  TrainTask (*make_task)(const Config&, at::Device)) {
  const Processes processes = ReadProcesses();
  PrepareTorch(config.run.threads);
  at::globalContext().setDeterministicAlgorithms(config.run.deterministic, /*warn_only=*/false);
  const at::Device device = DeviceOf(config.run.device, processes.local_rank);
  // Of cuDNN it is the default, but f32 is f32 here.
  at::globalContext().setAllowTF32CuBLAS(config.run.precision == "tf32");
  at::globalContext().setAllowTF32CuDNN(config.run.precision == "tf32");
  if (config.run.record && (processes.world > 1 || !CanRecordSteps()))
    ThrowUsage("run.record: expected one process and a build with CUDA, found ",
               CanRecordSteps() ? "several processes" : "a build without");
  UseOwnStream(device);
  try {
    Communicator group(processes, device);
    TrainTask task = make_task(config, device);
    if (config.run.record && task.kind != "diffusion")
      ThrowUsage("run.record: expected `train diffusion`, found `train ", task.kind,
                 "`, whose steps are not recorded");
    return RunTraining(task, group, mode, hooks);
  } catch (const c10::Error& error) {
    Rethrow(error);
  }
}

}  // namespace

bool CanTrain() { return true; }

TrainResult TrainDiffusion(const DiffusionConfig& config, RunMode mode, const TrainHooks& hooks) {
  return Train(config, mode, hooks, MakeDiffusionTask);
}

TrainResult TrainAutoencoder(const AutoencoderConfig& config, RunMode mode, const TrainHooks& hooks) {
  return Train(config, mode, hooks, MakeAutoencoderTask);
}

TrainResult TrainAdversarial(const AdversarialConfig& config, RunMode mode, const TrainHooks& hooks) {
  return Train(config, mode, hooks, MakeAdversarialTask);
}

TrainResult TrainFeatures(const FeaturesConfig& config, RunMode mode, const TrainHooks& hooks) {
  return Train(config, mode, hooks, MakeFeaturesTask);
}

}  // namespace mvd
