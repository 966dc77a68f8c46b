// Replaces mvd/train/loop in a build without LibTorch.
#include "mvd/train/train.h"

namespace mvd {
namespace {

[[noreturn]] void Refuse() {
  ThrowUsage(
      "this mobilevd was built without training: configure with -DMVD_TORCH=ON and "
      "-DCMAKE_PREFIX_PATH=$(python3 -c 'import torch; print(torch.utils.cmake_prefix_path)')");
}

}  // namespace

bool CanTrain() { return false; }
TrainResult TrainDiffusion(const DiffusionConfig&, RunMode, const TrainHooks&) { Refuse(); }
TrainResult TrainAutoencoder(const AutoencoderConfig&, RunMode, const TrainHooks&) { Refuse(); }
TrainResult TrainAdversarial(const AdversarialConfig&, RunMode, const TrainHooks&) { Refuse(); }
TrainResult TrainFeatures(const FeaturesConfig&, RunMode, const TrainHooks&) { Refuse(); }
BenchStepResult BenchStep(const BenchStepOptions&) { Refuse(); }

}  // namespace mvd
