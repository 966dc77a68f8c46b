#include "mvd/train/loop/features.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "mvd/base/error.h"
#include "mvd/data/flow_motion.h"
#include "mvd/engine/random_weights.h"
#include "mvd/train/loop/data.h"
#include "mvd/train/loop/export.h"
#include "mvd/train/loop/networks.h"
#include "mvd/train/loop/options.h"
#include "mvd/train/loop/tensors.h"
#include "mvd/train/run_models.h"

namespace mvd {
namespace {

// Flow at which the motion bucket stands at its middle counts 2: errors of common clips are then of order
// one.
constexpr double kFlowScale = 2 / kMiddleMotion;

TorchGraphOptions GraphOptions(const FeaturesConfig& config, bool guard) {
  TorchGraphOptions options;
  if (config.run.precision == "bf16") options.compute = at::kBFloat16;
  options.recompute_segments = guard ? 0 : int(config.run.recompute_segments);
  options.nan_guard = guard;
  return options;
}

struct FeaturesModel {
  FeaturesModel(const FeaturesConfig& c, at::Device d)
      : config(c),
        device(d),
        network(VideoFeaturesOf(c)),
        graphs(GraphOptions(c, false)),
        guarded(GraphOptions(c, true)) {}

  FeaturesConfig config;
  at::Device device;
  VideoFeaturesConfig network;
  GraphCache graphs, guarded;
  std::vector<TrainingClip> held_out;
};

TrainLoss LossOf(FeaturesModel& m, const Parameters& weights, const std::vector<const TrainingClip*>& clips,
                 bool guard) {
  const int64_t batch = int64_t(clips.size()), pairs = m.network.frames - 1;
  std::vector<at::Tensor> pixels, flow;
  std::vector<int64_t> kinds;
  for (const TrainingClip* clip : clips) {
    if (clip->kind < 0 || clip->cell_flow.empty())
      ThrowBadInput(clip->name, "has no kind and flow, expected a made-up clip");
    pixels.push_back(SignedPixels(clip->pixels.data(), clip->frames, clip->height, clip->width)
                         .view({1, clip->frames, clip->height, clip->width, 3}));
    flow.push_back(at::tensor(clip->cell_flow, at::kFloat).view({1, pairs, kFlowRows, kFlowColumns, 2}));
    kinds.push_back(clip->kind);
  }
  const TorchGraph& graph = (guard ? m.guarded : m.graphs).Get({"video_features", batch, 0, 0, 0}, [&] {
    return BuildVideoFeatures(m.network, batch);
  });
  const TensorMap out = graph.Run(weights, {{"clip", at::cat(pixels).to(m.device)}});
  const at::Tensor labels = at::tensor(kinds, at::kLong).to(m.device);
  const at::Tensor logits = out.at("kind").view({batch, m.network.kinds});
  const at::Tensor kind = at::nll_loss(at::log_softmax(logits, 1), labels);
  const at::Tensor found = out.at("flow").narrow(1, 0, pairs),
                   truth = at::cat(flow).to(m.device) * kFlowScale;
  const at::Tensor error = at::smooth_l1_loss(found, truth);
  const at::Tensor motion = at::smooth_l1_loss(out.at("motion").flatten(1), truth.mean(1).flatten(1));
  TrainLoss loss{.value = m.config.kind * kind + m.config.flow * error + m.config.motion * motion,
                 .sigma = {},
                 .parts = {}};
  loss.parts["kind"] = kind.item<double>();
  loss.parts["flow"] = error.item<double>();
  loss.parts["motion"] = motion.item<double>();
  loss.parts["kind_right"] = (logits.argmax(1) == labels).to(at::kFloat).mean().item<double>();
  return loss;
}

TrainLoss HeldOutLoss(FeaturesModel& m, const Parameters& weights) {
  const CommonConfig& c = m.config;
  if (m.held_out.empty()) m.held_out = HeldOutClips(c.data, uint64_t(c.run.seed), c.output.heldout_clips);
  const c10::NoGradGuard guard;
  TrainLoss total{.value = at::zeros({}, at::kDouble), .sigma = {}, .parts = {}};
  for (const TrainingClip& clip : m.held_out)
    total.value += LossOf(m, weights, {&clip}, false).value.item<double>() / double(m.held_out.size());
  return total;
}

}  // namespace

TrainTask MakeFeaturesTask(const FeaturesConfig& config, at::Device device) {
  const auto model = std::make_shared<FeaturesModel>(config, device);
  const Graph graph = BuildVideoFeatures(model->network, 1);
  const Shape cells = graph.shape(graph.outputs.at(0).value);
  if (cells[2] != kFlowRows || cells[3] != kFlowColumns) {
    ThrowUsage("clips of ", config.data.width, "x", config.data.height, " leave ", cells[3], "x", cells[2],
               " cells of flow, expected ", kFlowColumns, "x", kFlowRows,
               ": take data.width 128, data.height 64");
  }
  TrainTask task;
  task.kind = "features";
  task.common = config;
  task.seed = uint64_t(config.run.seed);
  task.device = device;
  RandomWeights random(graph, uint64_t(config.model.weight_seed), DType::kF32, {HardwareThreads()});
  task.trained = LoadParameters(graph, random, device);
  for (auto it = task.trained.rbegin(); it != task.trained.rend(); ++it)
    task.backward_order.push_back(it->first);
  task.loss = [model](const Parameters& weights, const std::vector<TrainingItem>& items,
                      const LossCall& call) {
    std::vector<const TrainingClip*> clips;
    for (const TrainingItem& item : items) clips.push_back(&item.clip);
    return LossOf(*model, weights, clips, call.guard);
  };
  task.held_out = [model](const Parameters& weights) { return HeldOutLoss(*model, weights); };
  task.export_model = [model](const Parameters& weights, const std::filesystem::path& folder,
                              const Metadata& metadata) {
    ExportNetwork(WriteConfig(model->network), weights, folder, metadata);
  };
  SetOptions(config, task);
  return task;
}

}  // namespace mvd
