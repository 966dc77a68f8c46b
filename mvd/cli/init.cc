// init: a model folder in diffusers' layout with seeded random weights, for tests, benchmarks and training
// from scratch.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

#include "mvd/base/atomic_file.h"
#include "mvd/base/paths.h"
#include "mvd/cli/command.h"
#include "mvd/cli/flags.h"
#include "mvd/cli/option_table.h"
#include "mvd/cli/output.h"
#include "mvd/cli/terminal.h"
#include "mvd/engine/bundled_models.h"
#include "mvd/engine/random_weights.h"
#include "mvd/io/safetensors.h"

namespace mvd::cli {
namespace fs = std::filesystem;
namespace {

struct InitFlags {
  std::string preset = "svd", config, output, dtype = "f32";
  uint64_t seed = 0;
  int threads = 0;
  bool force = false;
};

// Weights of all components that share a folder: a VAE's encoder and decoder are one file.
std::map<std::string, std::vector<Graph>> GraphsByFolder(const ModelConfigs& configs) {
  std::map<std::string, std::vector<Graph>> folders;
  for (const ComponentInfo& info : Components())
    folders[std::string(info.folder)].push_back(info.build(configs, kSmallestCall));
  return folders;
}

void WriteWeights(const std::vector<Graph>& graphs, uint64_t seed, DType dtype, const Threads& threads,
                  const fs::path& file, const CancelToken* cancel, const Progress& progress) {
  std::map<std::string, TensorInfo> tensors;
  std::vector<RandomWeights> sources;
  for (const Graph& graph : graphs) {
    sources.emplace_back(graph, seed, dtype, threads);
    tensors.insert(sources.back().tensors().begin(), sources.back().tensors().end());
  }
  SafetensorsWriter writer(file, tensors, {{"format", "pt"}});
  std::set<std::string> written;
  for (RandomWeights& source : sources) {
    for (const auto& [name, info] : source.tensors()) {
      if (cancel) cancel->Poll();
      if (!written.insert(name).second) continue;
      writer.Write(name, source.Get(name));
      source.Release(name);
      progress("write " + file.parent_path().filename().string(),
               double(written.size()) / double(tensors.size()));
    }
  }
  writer.Commit();
}

Exit Init(Session& session, const InitFlags& o) {
  const DType dtype = WeightDType(o.dtype);
  Preset preset = FindPreset(o.preset);
  if (!o.config.empty()) preset.models = Model::Open(FindModel(o.config)).configs();
  const fs::path target(o.output);
  if (PathExists(target) && !IsEmptyFolder(target) && !o.force)
    ThrowUsage(o.output, " exists and is not an empty folder; --force writes into it");
  StatusLine status(session.quiet);
  const Threads threads{o.threads > 0 ? o.threads : HardwareThreads()};
  // Nothing appears under its name before all is written.
  AtomicFolder pending(target, Replace::kYes);
  const fs::path folder = pending.temporary();
  WriteConfigs(preset, folder);
  for (const auto& [name, graphs] : GraphsByFolder(preset.models)) {
    const char* file = name == "image_encoder" ? "model.safetensors" : "diffusion_pytorch_model.safetensors";
    WriteWeights(graphs, o.seed, dtype, threads, folder / name / file, session.cancel, status.AsProgress());
  }
  pending.CommitInto();
  status.Clear();
  if (session.json) {
    PrintJson(
        nlohmann::json{{"model", o.output}, {"preset", o.preset}, {"seed", o.seed}, {"dtype", o.dtype}});
  } else {
    std::printf("%s\n", o.output.c_str());
  }
  return Exit::kOk;
}

}  // namespace

Runner DeclareInit(CLI::App& app) {
  auto o = std::make_shared<InitFlags>();
  AddOption(app, InGroup(WithHelp(Table().preset, "Architecture"), "Options"), o->preset);
  AddOption(
      app,
      {.flags = "--config", .help = "Take the networks' configs from this model instead", .value = "MODEL"},
      o->config);
  AddOption(app, {.flags = "--seed", .help = "Seed of the weights", .value = "N"}, o->seed);
  AddOption(app, Required(Table().output_folder), o->output);
  AddOption(app, Table().weight_dtype, o->dtype);
  AddOption(app, InGroup(Table().threads, "Options"), o->threads);
  AddOption(app, Table().force, o->force);
  return [o](Session& session) { return Init(session, *o); };
}

}  // namespace mvd::cli
