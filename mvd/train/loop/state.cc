#include "mvd/train/loop/state.h"

#include <ATen/ATen.h>

#include "mvd/base/error.h"
#include "mvd/io/content_hash.h"
#include "mvd/train/loop/tensors.h"

namespace mvd {
namespace {

constexpr char kWeights[] = "weights", kAverage[] = "ema", kFirst[] = "adam_first", kSecond[] = "adam_second";

const std::map<std::string, Tensor>& FileOf(const Checkpoint& checkpoint, const char* name) {
  const auto found = checkpoint.files.find(name);
  if (found == checkpoint.files.end())
    ThrowBadInput(checkpoint.folder.string(), "holds no file '", name, ".safetensors'");
  return found->second;
}

template <class T>
T ValueOf(const nlohmann::json& json, const std::string& folder, const char* key) {
  try {
    return json.at(key).get<T>();
  } catch (const nlohmann::json::exception&) {
    ThrowBadInput(folder, "state has no usable key '", key, "'");
  }
}

// All of a run's state that is no tensor, as state.json holds it.
nlohmann::json Counters(const TrainTask& task, const RunState& state) {
  nlohmann::json json = {{"step", state.step},
                         {"samples", state.samples},
                         {"adam_steps", state.adam.steps},
                         {"adam_missed", state.adam.missed},
                         {"health", ToJson(state.health)},
                         {"positions", state.positions}};
  if (task.decisions) json["decisions"] = task.decisions();
  return json;
}

void SetCounters(const nlohmann::json& json, const std::string& folder, const TrainTask& task,
                 RunState& state) {
  state.step = ValueOf<int64_t>(json, folder, "step");
  state.samples = ValueOf<int64_t>(json, folder, "samples");
  state.adam.steps = ValueOf<int64_t>(json, folder, "adam_steps");
  // Checkpoints of older versions lack what these versions did not know.
  if (json.contains("adam_missed"))
    state.adam.missed = ValueOf<std::map<std::string, int64_t>>(json, folder, "adam_missed");
  if (task.restore_decisions && json.contains("decisions"))
    task.restore_decisions(ValueOf<nlohmann::json>(json, folder, "decisions"), folder);
  state.health = HealthFromJson(ValueOf<nlohmann::json>(json, folder, "health"));
  state.positions = ValueOf<std::vector<std::string>>(json, folder, "positions");
}

// In one order in every process: the maps are sorted and have the same names.
std::vector<at::Tensor> AllTensors(const TrainTask& task, const RunState& state) {
  std::vector<at::Tensor> all;
  for (const TensorMap* map : {&task.trained, &state.adam.first, &state.adam.second, &state.average})
    for (const auto& [name, tensor] : *map) all.push_back(tensor.detach());
  return all;
}

std::string Digest(const std::vector<at::Tensor>& tensors) {
  ContentDigest digest;
  for (const at::Tensor& tensor : tensors) {
    const at::Tensor host = tensor.to(at::kCPU).contiguous();
    digest.Add(host.data_ptr(), host.nbytes());
  }
  return digest.Hex();
}

}  // namespace

RunState MakeState(const TrainTask& task) {
  RunState state;
  state.adam = MakeAdamW(task.trained);
  if (task.common.ema.half_life > 0) state.average = CloneDetached(task.trained);
  return state;
}

std::map<std::string, std::string> RecipeMetadata(const TrainTask& task, const RunState& state) {
  return {{"format", "pt"},
          {"mobilevd_training", task.kind},
          {"mobilevd_steps", std::to_string(state.step)},
          {"mobilevd_samples", std::to_string(state.samples)},
          {"mobilevd_recipe", task.config_json.dump()}};
}

std::filesystem::path SaveState(const TrainTask& task, const RunState& state, CheckpointStore& store) {
  CheckpointContent content;
  content.step = state.step;
  // The copies on the CPU live until the files are written.
  const TensorMap weights = OnHost(task.trained), average = OnHost(state.average),
                  first = OnHost(state.adam.first), second = OnHost(state.adam.second);
  content.files[kWeights] = ViewsOf(weights);
  content.files[kFirst] = ViewsOf(first);
  content.files[kSecond] = ViewsOf(second);
  if (!average.empty()) content.files[kAverage] = ViewsOf(average);
  content.state = Counters(task, state);
  content.state["kind"] = task.kind;
  content.state["config"] = task.config_json;
  content.metadata = RecipeMetadata(task, state);
  return store.Save(content);
}

void ShareState(TrainTask& task, RunState& state, Communicator& group) {
  if (group.world() == 1) return;
  const std::string counters = group.OnRank0([&] { return Counters(task, state).dump(); });
  if (group.rank() > 0) SetCounters(nlohmann::json::parse(counters), "rank 0", task, state);
  const std::vector<at::Tensor> tensors = AllTensors(task, state);
  for (const at::Tensor& tensor : tensors) group.Broadcast(tensor);
  const std::vector<std::string> digests = group.Gather(Digest(tensors));
  for (size_t rank = 1; rank < digests.size(); ++rank) {
    if (digests[rank] == digests[0]) continue;
    throw Error(Exit::kCheckFailed, "",
                StrCat("rank ", rank, " does not hold the weights and moments that rank 0 sent: xxh128 ",
                       digests[rank], ", expected ", digests[0]));
  }
}

RunState RestoreState(TrainTask& task, const Checkpoint& checkpoint, int world, const Note& note) {
  const std::string folder = checkpoint.folder.string();
  const std::string kind = ValueOf<std::string>(checkpoint.state, folder, "kind");
  if (kind != task.kind) ThrowUsage(folder, ": is of a ", kind, " run, expected ", task.kind);
  for (const std::string& line :
       task.check_resume(ValueOf<nlohmann::json>(checkpoint.state, folder, "config"), folder))
    if (note) note(line);
  RunState state = MakeState(task);
  SetCounters(checkpoint.state, folder, task, state);
  if (int(state.positions.size()) != world) {
    ThrowUsage(folder, ": was written by ", state.positions.size(), " processes, found ", world,
               "; continue with as many");
  }
  CopyInto(FileOf(checkpoint, kWeights), folder + "/weights.safetensors", task.trained);
  CopyInto(FileOf(checkpoint, kFirst), folder + "/adam_first.safetensors", state.adam.first);
  CopyInto(FileOf(checkpoint, kSecond), folder + "/adam_second.safetensors", state.adam.second);
  if (!state.average.empty())
    CopyInto(FileOf(checkpoint, kAverage), folder + "/ema.safetensors", state.average);
  return state;
}

}  // namespace mvd
