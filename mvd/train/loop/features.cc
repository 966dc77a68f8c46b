#include "mvd/train/loop/features.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "mvd/base/check.h"
#include "mvd/base/error.h"
#include "mvd/base/motion.h"
#include "mvd/engine/random_weights.h"
#include "mvd/train/loop/clip_damage.h"
#include "mvd/train/loop/data.h"
#include "mvd/train/loop/draws.h"
#include "mvd/train/loop/export.h"
#include "mvd/train/loop/networks.h"
#include "mvd/train/loop/options.h"
#include "mvd/train/loop/reducer.h"
#include "mvd/train/loop/tensors.h"
#include "mvd/train/run_models.h"

namespace mvd {
namespace {

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
  std::vector<TrainingItem> held_out;
};

// (kFlowRows * kFlowColumns): how fast each cell moves, a motion bucket in [0,1).
at::Tensor CellMotion(const TrainingClip& clip) {
  if (clip.kind < 0 || clip.cell_flow.empty())
    ThrowBadInput(clip.name, "has no kind and flow, expected a made-up clip");
  const at::Tensor flow = at::tensor(clip.cell_flow, at::kFloat).view({-1, kFlowRows * kFlowColumns, 2});
  const at::Tensor r = flow.square().sum(2).sqrt().mean(0);
  return r / (r + kMiddleMotion);
}

struct Batch {
  at::Tensor clips;         // (B,T,H,W,3)
  at::Tensor motion;        // (B,cells)
  at::Tensor moves;         // (B,1): 0 where motion means nothing
  at::Tensor damage, kind;  // (B)
};

// Damage is the sample's, so that a held-out clip always has the same.
Batch MakeBatch(const FeaturesModel& m, const std::vector<const TrainingItem*>& items) {
  std::vector<at::Tensor> clips, motion, moves;
  std::vector<int64_t> damages, kinds;
  const uint64_t seed = uint64_t(m.config.run.seed);
  for (const TrainingItem* item : items) {
    const TrainingClip& clip = item->clip;
    const Damage damage = DrawDamage(seed, item->sample);
    const at::Tensor pixels = SignedPixels(clip.pixels.data(), clip.frames, clip.height, clip.width)
                                  .view({1, clip.frames, clip.height, clip.width, 3});
    clips.push_back(Damaged(pixels, damage, seed, item->sample));
    motion.push_back(CellMotion(clip) * (damage == Damage::kStill ? 0 : 1));
    moves.push_back(at::full({1}, damage == Damage::kShuffled ? 0 : 1, at::kFloat));
    damages.push_back(int64_t(damage)), kinds.push_back(clip.kind);
  }
  return {at::cat(clips).to(m.device), at::stack(motion).to(m.device), at::stack(moves).to(m.device),
          at::tensor(damages, at::kLong).to(m.device), at::tensor(kinds, at::kLong).to(m.device)};
}

TrainLoss LossOf(FeaturesModel& m, const Parameters& weights, const std::vector<const TrainingItem*>& items,
                 bool guard) {
  const int64_t batch = int64_t(items.size());
  const Batch in = MakeBatch(m, items);
  const TorchGraph& graph = (guard ? m.guarded : m.graphs).Get({"video_features", batch, 0, 0, 0}, [&] {
    return BuildVideoFeatures(m.network, batch);
  });
  const TensorMap out = graph.Run(weights, {{"clip", in.clips}});
  TrainLoss loss{.value = {}, .sigma = {}, .parts = {}};
  const auto tell = [&](const char* name, const at::Tensor& labels) {
    const at::Tensor logits = out.at(name).flatten(1);
    const at::Tensor entropy = at::nll_loss(at::log_softmax(logits, 1), labels);
    loss.parts[name] = entropy.item<double>();
    loss.parts[StrCat(name, "_right")] = (logits.argmax(1) == labels).to(at::kFloat).mean().item<double>();
    return entropy;
  };
  const at::Tensor kind = tell("kind", in.kind), damage = tell("damage", in.damage);
  const at::Tensor motion = ((out.at("motion").flatten(1) - in.motion) * in.moves).square().mean();
  loss.parts["motion"] = motion.item<double>();
  loss.value = m.config.motion * motion + m.config.damage * damage + m.config.kind * kind;
  return loss;
}

TrainLoss HeldOutLoss(FeaturesModel& m, const Parameters& weights) {
  const CommonConfig& c = m.config;
  if (m.held_out.empty()) {
    uint64_t sample = kHeldOutSamples;
    for (TrainingClip& clip : HeldOutClips(c.data, uint64_t(c.run.seed), c.output.heldout_clips))
      m.held_out.push_back({std::move(clip), sample++});
  }
  const c10::NoGradGuard guard;
  TrainLoss total{.value = at::zeros({}, at::kDouble), .sigma = {}, .parts = {}};
  for (const TrainingItem& item : m.held_out)
    total.value += LossOf(m, weights, {&item}, false).value.item<double>() / double(m.held_out.size());
  return total;
}

}  // namespace

TrainTask MakeFeaturesTask(const FeaturesConfig& config, at::Device device) {
  const auto model = std::make_shared<FeaturesModel>(config, device);
  const Graph graph = BuildVideoFeatures(model->network, 1);
  MVD_CHECK_EQ(model->network.damages, kDamages);
  const int64_t factor = int64_t{1} << model->network.block_out_channels.size();
  const int64_t rows = config.data.height / factor, columns = config.data.width / factor;
  if (rows != kFlowRows || columns != kFlowColumns) {
    ThrowUsage("clips of ", config.data.width, "x", config.data.height, " leave ", columns, "x", rows,
               " cells of motion, expected ", kFlowColumns, "x", kFlowRows,
               ": take data.width 128, data.height 64");
  }
  TrainTask task;
  task.kind = "features";
  task.common = config;
  task.seed = uint64_t(config.run.seed);
  task.device = device;
  RandomWeights random(graph, uint64_t(config.model.weight_seed), DType::kF32, {HardwareThreads()});
  task.trained = LoadParameters(graph, random, device);
  BackwardOrderOf order(task.trained);
  order.Add(graph, "");
  task.backward_order = order.names();
  task.loss = [model](const Parameters& weights, const std::vector<TrainingItem>& items,
                      const LossCall& call) {
    std::vector<const TrainingItem*> each;
    for (const TrainingItem& item : items) each.push_back(&item);
    return LossOf(*model, weights, each, call.guard);
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
