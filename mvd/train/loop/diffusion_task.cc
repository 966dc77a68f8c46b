// The diffusion objective as the loop's task.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "mvd/train/loop/data.h"
#include "mvd/train/loop/diffusion.h"
#include "mvd/train/loop/export.h"
#include "mvd/train/loop/options.h"
#include "mvd/train/loop/reducer.h"
#include "mvd/train/loop/samples.h"
#include "mvd/train/loop/tensors.h"

namespace mvd {
namespace {

// The loss asks the image encoder first.
std::vector<std::string> BackwardOrder(const DiffusionModel& m, const Parameters& all) {
  const ModelConfigs& configs = m.networks.configs;
  BackwardOrderOf order(all);
  order.Add(BuildSvdUnet(configs.unet, 1, m.config.data.frames, 8, 8), "unet.");
  if (m.config.image_encoder == "train")
    order.Add(BuildClipVision(configs.image_encoder, 1), "image_encoder.");
  return order.names();
}

TrainLoss HeldOutLoss(DiffusionModel& m, const Parameters& weights) {
  const std::vector<EncodedClips>& held_out = HeldOutEncoded(m);
  const c10::NoGradGuard guard;
  TrainLoss total{.value = at::zeros({}, at::kDouble), .sigma = {}, .parts = {}};
  for (const EncodedClips& clip : held_out) {
    const double loss = DiffusionLossOf(m, weights, clip, false).value.item<double>();
    total.value += loss / double(held_out.size());
    total.sigma.Add(clip.draws.front().sigma, loss);
  }
  return total;
}

}  // namespace

TrainTask MakeDiffusionTask(const DiffusionConfig& config, at::Device device) {
  const auto model = std::make_shared<DiffusionModel>(config, device);
  TrainTask task;
  task.kind = "diffusion";
  task.common = config;
  task.seed = uint64_t(config.run.seed);
  task.device = device;
  task.trained = TrainedParameters(model->networks, config);
  task.backward_order = BackwardOrder(*model, task.trained);
  task.loss = [model](const Parameters& weights, const std::vector<TrainingItem>& items,
                      const LossCall& call) {
    const EncodedClips clips = EncodeClips(*model, items, true);
    if (model->config.run.record && at::GradMode::is_enabled())
      return RecordedDiffusionLoss(*model, weights, clips);
    return DiffusionLossOf(*model, weights, clips, call.guard);
  };
  task.held_out = [model](const Parameters& weights) { return HeldOutLoss(*model, weights); };
  task.samples = [model](const Parameters& weights, int64_t step, const std::filesystem::path& folder) {
    const CommonConfig& c = model->config;
    const std::vector<TrainingClip> clips =
        HeldOutClips(c.data, uint64_t(c.run.seed), c.output.samples_count);
    return SampleClips(*model, model->networks.configs.unet, weights, clips, step, folder);
  };
  task.export_model = [model](const Parameters& weights, const std::filesystem::path& folder,
                              const Metadata& metadata) {
    const bool trained = model->config.image_encoder == "train";
    ExportPipeline(model->networks, Without("unet.", weights),
                   trained ? Without("image_encoder.", weights) : model->networks.image_encoder,
                   model->config.data.frames, folder, metadata);
  };
  SetOptions(config, task);
  return task;
}

}  // namespace mvd
