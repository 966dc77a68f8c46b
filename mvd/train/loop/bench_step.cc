// Trains a step on given numbers, to compare with another trainer: see train.h.
#include <ATen/ATen.h>

#include "mvd/base/stopwatch.h"
#include "mvd/io/json.h"
#include "mvd/io/safetensors.h"
#include "mvd/models/svd_unet.h"
#include "mvd/train/loop/adamw.h"
#include "mvd/train/loop/losses.h"
#include "mvd/train/loop/tensors.h"
#include "mvd/train/train.h"

namespace mvd {
namespace {

// The file's tensors under "unet.", as a source of weights.
class UnetWeights : public WeightSource {
 public:
  explicit UnetWeights(const SafetensorsFile& file) : file_(file) {}
  std::string Origin() const override { return file_.path(); }
  std::optional<TensorInfo> Find(const std::string& name) const override {
    const auto found = file_.tensors().find("unet." + name);
    if (found == file_.tensors().end()) return std::nullopt;
    return found->second.info;
  }
  TensorView Get(const std::string& name) override { return file_.Get("unet." + name); }
  void Release(const std::string&) override {}

 private:
  const SafetensorsFile& file_;
};

}  // namespace

BenchStepResult BenchStep(const BenchStepOptions& o) {
  PrepareTorch(o.threads);
  const SafetensorsFile file = SafetensorsFile::Open(o.file);
  const auto found = file.metadata().find("config");
  if (found == file.metadata().end()) ThrowBadInput(file.path(), "metadata has no key 'config'");
  const SvdUnetConfig config = ReadConfig<SvdUnetConfig>(ParseJson(found->second, file.path()), file.path());
  const auto get = [&](const char* name) { return ToTorch(file.Get(name)); };
  const at::Tensor latents = get("latents"), condition = get("condition");
  const int64_t b = latents.size(0), t = latents.size(1), h = latents.size(2), w = latents.size(3);
  Graph graph = BuildSvdUnet(config, b, t, h, w);
  UnetWeights source(file);
  const Parameters parameters = LoadParameters(graph, source);
  TorchGraphOptions options;
  if (o.bf16) options.compute = at::kBFloat16;
  const TorchGraph unet(std::move(graph), options);
  AdamWState adam = MakeAdamW(parameters);
  BenchStepResult result;
  for (int64_t i = 0; i < o.steps; ++i) {
    const Stopwatch watch;
    ClearGradients(parameters);
    const DiffusionTarget target = MakeDiffusionTarget(latents, get("noise"), get("sigma"));
    const at::Tensor sample = at::cat({target.sample, condition.expand_as(latents)}, 4);
    const at::Tensor output = unet.Run(parameters, {{"sample", sample},
                                                    {"timestep", target.timestep},
                                                    {"encoder_hidden_states", get("embeds")},
                                                    {"added_time_ids", get("added_time_ids")}})
                                  .at("sample");
    const at::Tensor loss = DiffusionLoss(output, target.target).mean();
    loss.backward();
    const double norm = ClipGradients(parameters, 1);
    UpdateAdamW(parameters, o.lr, {}, adam);
    result.seconds.push_back(watch.Seconds());
    if (i > 0) continue;
    result.loss = loss.item<double>();
    result.grad_norm = norm;
  }
  return result;
}

}  // namespace mvd
