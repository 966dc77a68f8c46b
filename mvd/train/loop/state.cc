#include "mvd/train/loop/state.h"

#include "mvd/base/error.h"
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
T ValueOf(const Checkpoint& checkpoint, const char* key) {
  try {
    return checkpoint.state.at(key).get<T>();
  } catch (const nlohmann::json::exception&) {
    ThrowBadInput(checkpoint.folder.string(), "state has no usable key '", key, "'");
  }
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
  content.state = {{"kind", task.kind},
                   {"samples", state.samples},
                   {"adam_steps", state.adam.steps},
                   {"adam_missed", state.adam.missed},
                   {"health", ToJson(state.health)},
                   {"positions", state.positions},
                   {"config", task.config_json}};
  content.metadata = RecipeMetadata(task, state);
  return store.Save(content);
}

RunState RestoreState(TrainTask& task, const Checkpoint& checkpoint, int world, const Note& note) {
  const std::string folder = checkpoint.folder.string();
  const std::string kind = ValueOf<std::string>(checkpoint, "kind");
  if (kind != task.kind) ThrowUsage(folder, ": is of a ", kind, " run, expected ", task.kind);
  for (const std::string& line : task.check_resume(ValueOf<nlohmann::json>(checkpoint, "config"), folder))
    if (note) note(line);
  RunState state = MakeState(task);
  state.step = checkpoint.step;
  state.samples = ValueOf<int64_t>(checkpoint, "samples");
  state.adam.steps = ValueOf<int64_t>(checkpoint, "adam_steps");
  // Absent in checkpoints of runs that know no idle parameters.
  if (checkpoint.state.contains("adam_missed"))
    state.adam.missed = ValueOf<std::map<std::string, int64_t>>(checkpoint, "adam_missed");
  state.health = HealthFromJson(ValueOf<nlohmann::json>(checkpoint, "health"));
  state.positions = ValueOf<std::vector<std::string>>(checkpoint, "positions");
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
