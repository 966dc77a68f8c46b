#include "mvd/train/plan.h"

#include <algorithm>
#include <cstdio>

#include "mvd/cost/cost.h"
#include "mvd/engine/components.h"
#include "mvd/io/json.h"
#include "mvd/train/discriminator.h"
#include "mvd/train/metrics_log.h"
#include "mvd/train/run_models.h"

namespace mvd {
namespace {

bool IsProduct(Op op) {
  return op == Op::kConv2d || op == Op::kConvTemporal || op == Op::kLinear || op == Op::kAttention;
}

// Inputs are the caller's, weights are counted apart, and a view owns nothing.
bool OwnsMemory(Op op) {
  return op != Op::kInput && op != Op::kWeight && op != Op::kReshape && op != Op::kExpand && op != Op::kSlice;
}

// Work of a pass and what it leaves behind, by who is trained.
enum class Role { kTrained, kPassedThrough, kFrozen };

NetworkPlan PlanNetwork(std::string name, const Graph& graph, Role role, const RunSection& run) {
  const GraphCost cost = CountCost(graph);
  const int64_t product_bytes = run.precision == "bf16" ? 2 : 4;
  NetworkPlan plan;
  plan.name = std::move(name);
  plan.trained = role == Role::kTrained;
  plan.parameters = cost.total.parameters;
  plan.forward_flops = cost.total.flops;
  if (role == Role::kFrozen) {
    plan.step_flops = cost.total.flops;
    plan.activation_bytes = cost.peak_activation_bytes;
    return plan;
  }
  // Backward: one product for the input's gradient, one for the weight's; recomputation is one more forward.
  const int64_t passes = (role == Role::kTrained ? 3 : 2) + (run.recompute_segments > 0 ? 1 : 0);
  plan.step_flops = passes * cost.total.flops;
  plan.activation_bytes = KeptActivationBytes(graph, int(run.recompute_segments), product_bytes);
  return plan;
}

std::string HeldOut(const CommonConfig& config) {
  const DataSection& data = config.data;
  if (config.output.heldout_steps == 0 || config.output.heldout_clips == 0) return "nothing";
  const std::string clips = StrCat(config.output.heldout_clips, " clips");
  if (data.kind == "pictures")
    return StrCat(config.output.heldout_clips, " photos of ", Printable(data.heldout));
  if (!data.heldout.empty()) return StrCat(clips, " of the shards in ", Printable(data.heldout));
  if (data.kind == "synth") return StrCat(clips, " of procedural scenes of another seed");
  return StrCat(
      clips, " of procedural scenes, NOT of the kind in training: data.heldout names shards of other films");
}

RunPlan Summarise(const CommonConfig& config, std::string origin, std::vector<NetworkPlan> networks,
                  int64_t processes) {
  RunPlan plan;
  plan.origin = std::move(origin);
  plan.held_out = HeldOut(config);
  plan.processes = processes;
  plan.clips_per_step = config.run.batch * config.run.accumulation * processes;
  plan.steps = config.run.steps;
  int64_t trained = 0, frozen = 0, kept = 0, frozen_peak = 0;
  for (const NetworkPlan& network : networks) {
    (network.trained ? trained : frozen) += network.parameters;
    plan.step_flops += network.step_flops * config.run.accumulation * processes;
    // Frozen networks run one after another before the loss; those that carry gradients are kept together.
    const bool carries = network.step_flops > network.forward_flops;
    if (carries) kept += network.activation_bytes;
    if (!carries) frozen_peak = std::max(frozen_peak, network.activation_bytes);
  }
  plan.total_flops = double(plan.step_flops) * double(plan.steps);
  const int64_t copy = 4 * trained;  // f32
  plan.memory = {{"weights in training, f32", copy},
                 {"frozen weights, f32", 4 * frozen},
                 {"gradients, f32", copy},
                 {"AdamW's two moments, f32", 2 * copy}};
  if (config.ema.half_life > 0) plan.memory.push_back({"average of the weights, f32", copy});
  if (config.run.precision == "bf16")
    plan.memory.push_back({"bf16 copies of weights in products, at most", copy / 2});
  plan.memory.push_back({"activations kept for the backward pass", kept});
  plan.memory.push_back({"activations of frozen networks, peak", frozen_peak});
  plan.checkpoint_bytes = copy * (config.ema.half_life > 0 ? 4 : 3);
  plan.networks = std::move(networks);
  return plan;
}

std::string Bytes(double bytes) {
  char text[40];
  const char* const units[] = {"B", "kB", "MB", "GB", "TB"};
  int unit = 0;
  for (; bytes >= 1000 && unit < 4; ++unit) bytes /= 1000;
  std::snprintf(text, sizeof(text), unit ? "%.2f %s" : "%.0f %s", bytes, units[unit]);
  return text;
}

std::string Flops(double flops) {
  char text[40];
  const char* const units[] = {"FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP", "ZFLOP"};
  int unit = 0;
  for (; flops >= 1000 && unit < 7; ++unit) flops /= 1000;
  std::snprintf(text, sizeof(text), "%.2f %s", flops, units[unit]);
  return text;
}

}  // namespace

int64_t KeptActivationBytes(const Graph& graph, int segments, int64_t product_bytes) {
  const size_t count = graph.nodes.size();
  std::vector<size_t> last(count, 0);  // the node that reads a value last; `count`: an output of the graph
  for (size_t i = 0; i < count; ++i) {
    for (ValueId input : graph.nodes[i].inputs) {
      if (input != kNoValue) last[size_t(input)] = i;
    }
  }
  for (const Output& output : graph.outputs) last[size_t(output.value)] = count;
  std::vector<int64_t> bytes(count), made(count + 1, 0), alive(count + 1, 0);
  for (size_t i = 0; i < count; ++i) {
    const Node& node = graph.nodes[i];
    bytes[i] = OwnsMemory(node.op) ? node.shape.elements() * (IsProduct(node.op) ? product_bytes : 4) : 0;
    made[i + 1] = made[i] + bytes[i];
    for (size_t k = i + 1; k <= std::min(last[i], count); ++k) alive[k] += bytes[i];
  }
  if (segments <= 0) return made[count];
  // Borders near equal shares of the bytes, where least is alive; what is alive there is kept, each value
  // once.
  std::vector<size_t> cuts{0};
  for (int s = 1; s < segments; ++s) {
    const double share = double(made[count]) / segments;
    size_t best = count;
    for (size_t i = cuts.back() + 1; i < count; ++i) {
      const double at = double(made[i]);
      if (at < share * (s - 0.25) || at > share * (s + 0.25)) continue;
      if (best == count || alive[i] < alive[best]) best = i;
    }
    if (best < count) cuts.push_back(best);
  }
  cuts.push_back(count);
  int64_t kept = 0, largest = 0;
  for (size_t s = 0; s + 1 < cuts.size(); ++s) {
    int64_t inside = 0;
    for (size_t i = cuts[s]; i < cuts[s + 1]; ++i) (last[i] >= cuts[s + 1] ? kept : inside) += bytes[i];
    largest = std::max(largest, inside);
  }
  return kept + largest;
}

int64_t RunPlan::MemoryBytes() const {
  int64_t sum = 0;
  for (const MemoryItem& item : memory) sum += item.bytes;
  return sum;
}

int64_t RunPlan::TrainedParameters() const {
  int64_t sum = 0;
  for (const NetworkPlan& network : networks) sum += network.trained ? network.parameters : 0;
  return sum;
}

namespace {

std::string_view EncoderOf(const RunModels& models) {
  return models.tiny_autoencoder ? "taesd_encoder" : "vae_encoder";
}

Graph UnetOf(const SvdUnetConfig& unet, const RunModels& models, const DiffusionConfig& config,
             const SvdUnetOptions& options) {
  const int64_t factor = PixelsPerLatent(models.configs, EncoderOf(models));
  return BuildSvdUnet(unet, config.run.batch, config.data.frames, config.data.height / factor,
                      config.data.width / factor, options);
}

// The UNet in training and what stands in front of it.
std::vector<NetworkPlan> PlanDiffusion(const DiffusionConfig& config, const RunModels& models) {
  const ModelConfigs& c = models.configs;
  const int64_t batch = config.run.batch, frames = config.data.frames;
  const std::string_view encoder = EncoderOf(models);
  std::vector<NetworkPlan> networks;
  networks.push_back(PlanNetwork("unet", UnetOf(c.unet, models, config, {}), Role::kTrained, config.run));
  if (config.image_encoder != "none") {
    networks.push_back(PlanNetwork("image encoder", BuildClipVision(c.image_encoder, batch),
                                   config.image_encoder == "train" ? Role::kTrained : Role::kFrozen,
                                   config.run));
  }
  // A clip's frames and the first one again with its noise, as many in a call as FramesAtOnce says.
  const int64_t images = config.data.latent_cache.empty() ? frames + 1 : 1;
  const int64_t at_once = std::min(images, FramesAtOnce(config.data.height, config.data.width));
  const Graph encode = FindComponent(encoder).build(c, {at_once, 1, config.data.height, config.data.width});
  NetworkPlan autoencoder = PlanNetwork("autoencoder's encoder", encode, Role::kFrozen, config.run);
  autoencoder.forward_flops = autoencoder.forward_flops / at_once * images * batch;
  autoencoder.step_flops = autoencoder.forward_flops;
  networks.push_back(autoencoder);
  return networks;
}

}  // namespace

RunPlan PlanRun(const DiffusionConfig& config, int64_t processes) {
  CheckRunConfig(config, "options");
  const RunModels models = ResolveModels(config.model);
  return Summarise(config, models.origin, PlanDiffusion(config, models), processes);
}

RunPlan PlanRun(const AdversarialConfig& config, int64_t processes) {
  CheckRunConfig(config, "options");
  const RunModels models = ResolveModels(config.model);
  ModelSection other = config.model;
  if (!config.backbone.empty()) other = {}, other.folder = config.backbone;
  const SvdUnetConfig unet = ResolveModels(other).configs.unet;
  std::vector<NetworkPlan> networks = PlanDiffusion(config, models);
  const Graph encoder = UnetOf(unet, models, config, {.encoder_taps = TapsOf(config)});
  NetworkPlan backbone = PlanNetwork("discriminator's backbone", encoder, Role::kPassedThrough, config.run);
  backbone.step_flops += backbone.forward_flops;  // real clips too, without gradients
  // What R1 differentiates twice is never recomputed, and its gradient is kept as its values are.
  RunSection all_kept = config.run;
  all_kept.recompute_segments = 0;
  const bool penalty = config.r1 > 0;
  if (penalty && config.r1_on == "input") {
    const NetworkPlan real = PlanNetwork("", encoder, Role::kPassedThrough, all_kept);
    backbone.activation_bytes += 2 * real.activation_bytes;
  }
  networks.push_back(backbone);
  NetworkPlan heads =
      PlanNetwork("discriminator's heads",
                  BuildClipHeads(OutputShapes(encoder), unet.cross_attention_dim[0], HeadsOf(config)),
                  Role::kTrained, all_kept);
  // They judge real clips, made ones for themselves, and those again for the generator.
  heads.step_flops *= 3, heads.activation_bytes *= penalty ? 4 : 3;
  networks.push_back(heads);
  return Summarise(config, models.origin, std::move(networks), processes);
}

RunPlan PlanRun(const AutoencoderConfig& config, int64_t processes) {
  CheckRunConfig(config, "options");
  const RunModels models = ResolveModels(config.model);
  const TaesdConfig& taesd = models.configs.taesd;
  const int64_t images = config.run.batch * config.data.frames, height = config.data.height,
                width = config.data.width;
  const int64_t factor = ScaleFactor(taesd);
  const Role encoder = config.part == "decoder" ? Role::kFrozen : Role::kTrained;
  const Role decoder = config.part == "encoder" ? Role::kPassedThrough : Role::kTrained;
  std::vector<NetworkPlan> networks;
  networks.push_back(
      PlanNetwork("tiny encoder", BuildTaesdEncoder(taesd, images, height, width), encoder, config.run));
  networks.push_back(PlanNetwork("tiny decoder",
                                 BuildTaesdDecoder(taesd, images, 1, height / factor, width / factor),
                                 decoder, config.run));
  if (config.adversarial > 0) {
    NetworkPlan critic = PlanNetwork("discriminator", BuildPatchDiscriminator(images, height, width),
                                     Role::kTrained, config.run);
    // It judges decoded pictures for the decoder, then those and the real ones for itself.
    critic.step_flops *= 3, critic.activation_bytes *= 3;
    networks.push_back(critic);
  }
  return Summarise(config, models.origin, std::move(networks), processes);
}

RunPlan PlanRun(const FeaturesConfig& config, int64_t processes) {
  CheckRunConfig(config, "options");
  const Graph graph = BuildVideoFeatures(VideoFeaturesOf(config), config.run.batch);
  return Summarise(config, "nothing", {PlanNetwork("video features", graph, Role::kTrained, config.run)},
                   processes);
}

nlohmann::json ToJson(const RunPlan& plan) {
  nlohmann::json json = {{"origin", plan.origin},
                         {"held_out", plan.held_out},
                         {"processes", plan.processes},
                         {"clips_per_step", plan.clips_per_step},
                         {"steps", plan.steps},
                         {"step_flops", plan.step_flops},
                         {"total_flops", plan.total_flops},
                         {"memory_bytes", plan.MemoryBytes()},
                         {"trained_parameters", plan.TrainedParameters()},
                         {"checkpoint_bytes", plan.checkpoint_bytes},
                         {"networks", nlohmann::json::array()},
                         {"memory", nlohmann::json::object()}};
  for (const NetworkPlan& network : plan.networks) {
    json["networks"].push_back({{"name", network.name},
                                {"parameters", network.parameters},
                                {"trained", network.trained},
                                {"forward_flops", network.forward_flops},
                                {"step_flops", network.step_flops},
                                {"activation_bytes", network.activation_bytes}});
  }
  for (const MemoryItem& item : plan.memory) json["memory"][item.name] = item.bytes;
  return json;
}

std::string FormatPlan(const RunPlan& plan, double flops_per_second) {
  std::string text = "model                   " + plan.origin + "\n";
  text += "held out                " + plan.held_out + "\n";
  char line[200];
  const auto add = [&](const std::string& name, const std::string& value) {
    std::snprintf(line, sizeof(line), "  %-44s %16s\n", name.c_str(), value.c_str());
    text += line;
  };
  text += "network                    parameters      forward pass      of a micro-step\n";
  for (const NetworkPlan& network : plan.networks) {
    std::snprintf(line, sizeof(line), "  %-22s %10.2f M %17s %17s  %s\n", network.name.c_str(),
                  double(network.parameters) * 1e-6, Flops(double(network.forward_flops)).c_str(),
                  Flops(double(network.step_flops)).c_str(), network.trained ? "trained" : "frozen");
    text += line;
  }
  text += "memory of one process (estimate; libraries' scratch comes on top)\n";
  for (const MemoryItem& item : plan.memory) add(item.name, Bytes(double(item.bytes)));
  add("together", Bytes(double(plan.MemoryBytes())));
  text += "run\n";
  add("processes", StrCat(plan.processes));
  add("clips a step", StrCat(plan.clips_per_step));
  add("steps", StrCat(plan.steps));
  add("work of a step", Flops(double(plan.step_flops)));
  add("work of the run", Flops(plan.total_flops));
  add("one checkpoint on disk", Bytes(double(plan.checkpoint_bytes)));
  if (flops_per_second > 0) {
    const double seconds = double(plan.step_flops) / (flops_per_second * double(plan.processes));
    std::snprintf(line, sizeof(line), "time at %s/s a process\n", Flops(flops_per_second).c_str());
    text += line;
    std::snprintf(line, sizeof(line), "%.3g s", seconds);
    add("a step", line);
    add("the run", FormatDuration(seconds * double(plan.steps)));
  }
  return text;
}

}  // namespace mvd
