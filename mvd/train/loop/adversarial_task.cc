// Adversarial finetuning as the loop's task: what is trained at which rate, and what comes out.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "mvd/compress/unet_rewrite.h"
#include "mvd/compress/unet_steps.h"
#include "mvd/engine/random_weights.h"
#include "mvd/train/importance_chart.h"
#include "mvd/train/loop/adversarial.h"
#include "mvd/train/loop/data.h"
#include "mvd/train/loop/export.h"
#include "mvd/train/loop/options.h"
#include "mvd/train/loop/reducer.h"
#include "mvd/train/loop/samples.h"
#include "mvd/train/loop/tensors.h"

namespace mvd {
namespace {

Graph BackboneGraph(const AdversarialModel& m) {
  const Discriminator& d = m.discriminator;
  return BuildSvdUnet(d.unet, 1, m.config.data.frames, 8, 8, {.encoder_taps = d.taps});
}

Graph HeadsGraph(const AdversarialModel& m, const Graph& backbone) {
  const Discriminator& d = m.discriminator;
  return BuildClipHeads(OutputShapes(backbone), d.unet.cross_attention_dim[0], d.heads);
}

// The encoder half of the backbone's UNet, which nothing trains, and heads on it.
void LoadDiscriminator(AdversarialModel& m, at::Device device) {
  const AdversarialConfig& c = m.config;
  ModelSection section = c.model;
  if (!c.backbone.empty()) section = {}, section.folder = c.backbone;
  const Model model = OpenModel(section, {HardwareThreads()});
  Discriminator& d = m.discriminator;
  d.unet = model.configs().unet;
  d.taps = TapsOf(c), d.heads = HeadsOf(c), d.penalty_by_input = c.r1_on == "input";
  const UnetCompression& done = d.unet.compression;
  if (done.kept_temporal_blocks || done.temporal_multiscale > 1 || done.spatial_multiscale > 1 ||
      !done.funnels.empty()) {
    ThrowBadInput(
        model.origin(),
        "holds a compressed UNet, expected the finetuned one that it came of: the discriminator looks "
        "through all blocks and frames (discriminator.backbone)");
  }
  const SvdUnetConfig& own = m.base.networks.configs.unet;
  const int64_t width = d.unet.cross_attention_dim[0];
  if (d.unet.in_channels != own.in_channels || width != own.cross_attention_dim[0]) {
    ThrowBadInput(model.origin(), "UNet takes ", d.unet.in_channels, " channels and embeddings of ", width,
                  ", but the generator's takes ", own.in_channels, " and ", own.cross_attention_dim[0]);
  }
  const Graph graph = BackboneGraph(m);
  d.backbone = LoadParameters(graph, *model.Weights("unet"), device);
  for (auto& [name, tensor] : d.backbone) tensor = tensor.detach();
  const Graph heads = HeadsGraph(m, graph);
  RandomWeights random(heads, uint64_t(c.run.seed), DType::kF32, {HardwareThreads()});
  m.heads = LoadParameters(heads, random, device);
}

Parameters Trained(const AdversarialModel& m, at::Device device) {
  Parameters all = TrainedParameters(m.base.networks, m.config);
  all.insert(m.heads.begin(), m.heads.end());
  if (m.pruning && m.pruning->learned())
    all[kPruningLogits] =
        m.pruning->InitialLogits(m.base.networks.unet).to(device).detach().requires_grad_(true);
  return all;
}

// The loss asks the image encoder, draws the gates, runs the UNet and then the heads.
std::vector<std::string> BackwardOrder(const AdversarialModel& m, const Parameters& all) {
  const ModelConfigs& configs = m.base.networks.configs;
  const Graph backbone = BackboneGraph(m);
  BackwardOrderOf order(all);
  order.Add(HeadsGraph(m, backbone), "");
  const bool gates = m.pruning && m.pruning->learned();
  order.Add(BuildSvdUnet(configs.unet, 1, m.config.data.frames, 8, 8, {.temporal_gates = gates}), "unet.");
  if (gates) order.Add(kPruningLogits);
  if (m.config.image_encoder == "train")
    order.Add(BuildClipVision(configs.image_encoder, 1), "image_encoder.");
  return order.names();
}

// A block's alpha is sigmoid(l / temperature) as its importance is; AdamW's step in l is one of
// 1 / temperature times the size in mix_factor = l / temperature.
std::vector<ParameterGroup> Groups(const AdversarialModel& m, const Parameters& all) {
  const AdversarialConfig& c = m.config;
  std::vector<ParameterGroup> groups = {{.name = "generator", .parameters = {}},
                                        {.name = "discriminator", .parameters = {}, .rate = c.rate}};
  if (m.pruning) {
    groups.push_back({.name = "mix", .parameters = {}, .rate = 1 / c.temperature, .decays = false});
    if (m.pruning->learned()) {
      const double rate = c.optimiser.lr > 0 ? c.pruning_lr / c.optimiser.lr : 0;
      groups.push_back({.name = "importance", .parameters = {}, .rate = rate, .decays = false});
    }
  }
  for (const auto& [name, tensor] : all) {
    const size_t group = name == kPruningLogits                    ? 3
                         : m.pruning && name.ends_with(kMixFactor) ? 2
                         : name.starts_with(kDiscriminator)        ? 1
                                                                   : 0;
    groups[group].parameters.push_back(name);
  }
  return groups;
}

// During the warm-up only the heads are trained, without them in the loss never they; afterwards the weights
// that only absent blocks use stay put.
std::set<std::string> Idle(AdversarialModel& m, const Parameters& all, Communicator& group, int64_t step) {
  std::set<std::string> idle;
  const bool generator = GeneratorTrains(m.config, step), heads = m.config.adversarial > 0;
  for (const auto& [name, tensor] : all)
    if (name.starts_with(kDiscriminator) ? !heads : !generator) idle.insert(name);
  if (!m.pruning || !m.pruning->learned()) return idle;
  if (!m.pruning->Draws(step)) idle.insert(kPruningLogits);
  at::Tensor used = at::tensor(m.gates_used, at::kDouble).to(m.base.networks.device);
  std::fill(m.gates_used.begin(), m.gates_used.end(), 0);
  group.Sum(used);
  used = used.to(at::kCPU);
  for (size_t i = 0; i < m.gates_used.size(); ++i) {
    if (used.data_ptr<double>()[i] > 0) continue;
    idle.insert(m.pruning->WeightsOf(i).begin(), m.pruning->WeightsOf(i).end());
  }
  return idle;
}

constexpr char kKeptBlocks[] = "kept_temporal_blocks";

// Which blocks stay is decided once and kept with the run.
void SetDecisions(const std::shared_ptr<AdversarialModel>& model, TrainTask& task) {
  task.decide = [model](const Parameters& trained, int64_t step) { model->pruning->Settle(trained, step); };
  task.decisions = [model] { return nlohmann::json{{kKeptBlocks, model->pruning->settled()}}; };
  task.restore_decisions = [model](const nlohmann::json& decisions, const std::string& file) {
    try {
      const auto blocks = decisions.at(kKeptBlocks).get<std::vector<std::string>>();
      if (!blocks.empty()) model->pruning->RestoreSettled(blocks, file);
    } catch (const nlohmann::json::exception&) {
      ThrowBadInput(file, "key '", kKeptBlocks, "' of its decisions is absent or no list of names");
    }
  };
}

// What is left once the least important blocks are gone and funnels are multiplied into their layers.
Networks Compressed(const AdversarialModel& m, const Parameters& weights, Parameters* unet) {
  Networks networks = m.base.networks;
  SvdUnetConfig& config = networks.configs.unet;
  const SvdUnetConfig source = config;
  if (m.pruning) config = m.pruning->Pruned(weights);
  if (!config.compression.funnels.empty() && !config.compression.funnels_merged) {
    CompressionSteps merge;
    merge.merge = true;
    config = ApplySteps(config, merge, "the run's UNet");
  }
  MapWeights held;
  for (const auto& [name, tensor] : Without("unet.", weights)) held.Set(name, FromTorch(tensor));
  UnetRewrite rewrite(source, config, held);
  rewrite.Run([&](const std::string& name, const TensorView& tensor) { (*unet)[name] = ToTorch(tensor); },
              {HardwareThreads()});
  UnetSampling& sampling = config.sampling;
  sampling.steps = 1, sampling.sigma_max = m.config.sigma_max, sampling.sigmas.clear();
  sampling.min_guidance_scale = sampling.max_guidance_scale = 1;
  return networks;
}

}  // namespace

TrainTask MakeAdversarialTask(const AdversarialConfig& config, at::Device device) {
  const auto model = std::make_shared<AdversarialModel>(config, device);
  model->base.networks.configs.unet.sampling.frame_noise = config.frame_noise;
  LoadDiscriminator(*model, device);
  if (!config.teacher.empty()) model->teacher = LoadTeacher(config, model->base.networks, device);
  if (config.pruning != "none") {
    model->pruning.emplace(model->base.networks.configs.unet, config);
    model->gates_used.assign(model->pruning->blocks().size(), 0);
  }
  TrainTask task;
  task.kind = "adversarial";
  task.common = config;
  task.seed = uint64_t(config.run.seed);
  task.device = device;
  task.trained = Trained(*model, device);
  task.groups = Groups(*model, task.trained);
  task.backward_order = BackwardOrder(*model, task.trained);
  task.loss = [model](const Parameters& weights, const std::vector<TrainingItem>& items,
                      const LossCall& call) { return AdversarialLossOf(*model, weights, items, call); };
  task.idle = [model, all = task.trained](Communicator& group, int64_t step) {
    return Idle(*model, all, group, step);
  };
  if (model->pruning) SetDecisions(model, task);
  task.held_out = [model](const Parameters& weights) { return AdversarialHeldOut(*model, weights); };
  task.samples = [model](const Parameters& weights, int64_t step, const std::filesystem::path& folder) {
    const CommonConfig& c = model->config;
    const SvdUnetConfig unet =
        model->pruning ? model->pruning->Pruned(weights) : model->base.networks.configs.unet;
    const std::vector<TrainingClip> clips =
        HeldOutClips(c.data, uint64_t(c.run.seed), c.output.samples_count);
    return SampleClips(model->base, unet, weights, clips, step, folder);
  };
  task.export_model = [model](const Parameters& weights, const std::filesystem::path& folder,
                              const Metadata& metadata) {
    Parameters unet;
    const Networks networks = Compressed(*model, weights, &unet);
    const bool trained = model->config.image_encoder == "train";
    ExportPipeline(networks, unet,
                   trained ? Without("image_encoder.", weights) : model->base.networks.image_encoder,
                   model->config.data.frames, folder, metadata);
    if (model->pruning) {
      WriteImportanceChart(
          model->config.run.out, model->pruning->blocks(),
          networks.configs.unet.compression.kept_temporal_blocks.value_or(model->pruning->blocks()));
    }
  };
  SetOptions(config, task);
  return task;
}

}  // namespace mvd
