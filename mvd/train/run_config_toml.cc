// Run configurations as TOML text, and what single options cannot check.
#include <sstream>
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/io/json.h"
#include "mvd/train/discriminator.h"
#include "mvd/train/run_config.h"

namespace mvd {
namespace {

using nlohmann::json;

constexpr size_t kMaxTomlBytes = 1 << 20;
constexpr int kMaxTomlDepth = 16;

// A node as JSON. Dates and infinities become text, so that no option accepts them.
json ToJson(const toml::node& node, const std::string& file, int depth = 0) {
  const auto fail = [&](const auto&... args) {
    ThrowBadInput(file, "line ", node.source().begin.line, ": ", args...);
  };
  if (depth > kMaxTomlDepth) fail("tables nest deeper than ", kMaxTomlDepth);
  if (const auto* table = node.as_table()) {
    json object = json::object();
    for (const auto& [key, value] : *table) object[std::string(key.str())] = ToJson(value, file, depth + 1);
    return object;
  }
  if (const auto* array = node.as_array()) {
    json list = json::array();
    for (const auto& value : *array) list.push_back(ToJson(value, file, depth + 1));
    return list;
  }
  if (const auto* value = node.as_boolean()) return value->get();
  if (const auto* value = node.as_integer()) return value->get();
  if (const auto* value = node.as_string()) return value->get();
  if (const auto* value = node.as_floating_point()) {
    if (std::isfinite(value->get())) return value->get();
    return std::isnan(value->get()) ? "nan" : "inf";
  }
  return "a date";
}

std::string Comment(const Option& option, const Option& fallback) {
  std::string comment = "# " + option.meaning;
  if (!option.unit.empty()) comment += " [" + option.unit + "]";
  comment += "; " + ShowRange(option);
  if (option.on_resume == OnResume::kAllowed) comment += "; may change on resume";
  if (ShowValue(option) != ShowValue(fallback)) comment += "; default " + ShowValue(fallback);
  return comment;
}

std::string SectionOf(const std::string& key) { return key.substr(0, key.find('.')); }

void CheckCommon(const CommonConfig& config, const std::string& file) {
  const auto fail = [&](const char* key, const auto&... args) {
    ThrowBadInput(file, "key '", key, "' ", args...);
  };
  if (config.data.height % 8) fail("data.height", "is ", config.data.height, ", expected a multiple of 8");
  if (config.data.width % 8) fail("data.width", "is ", config.data.width, ", expected a multiple of 8");
  if (config.data.kind == "shards" && config.data.folder.empty()) {
    fail("data.folder", "is empty, expected a folder of shards because data.kind is \"shards\"");
  }
  if (config.data.kind == "mix" && config.data.mix.empty())
    fail("data.mix", "is empty, expected a table of sources because data.kind is \"mix\"");
  if (config.data.keep && config.data.clips == 0)
    fail("data.keep", "is true, expected a number of data.clips with it: without one no clip comes twice");
  if (config.run.record && config.run.accumulation > 1)
    fail("run.record", "is true, expected run.accumulation 1 with it, found ", config.run.accumulation);
  if (config.run.record && config.run.device != "cuda")
    fail("run.record", "is true, expected run.device \"cuda\" with it");
  if (config.data.kind == "pictures") {
    const char* const why = " because data.kind is \"pictures\"";
    if (config.data.photos.empty()) fail("data.photos", "is empty, expected a folder of photos", why);
    if (config.data.heldout.empty()) fail("data.heldout", "is empty, expected a folder of other photos", why);
    if (config.data.frames != 1) fail("data.frames", "is ", config.data.frames, ", expected 1", why);
  }
  if (config.schedule.kind == "cosine" && config.schedule.warmup_steps >= config.run.steps) {
    fail("schedule.warmup_steps", "is ", config.schedule.warmup_steps, ", expected fewer than run.steps, ",
         config.run.steps, ", because schedule.kind is \"cosine\"");
  }
  if (config.schedule.min_lr > config.optimiser.lr) {
    fail("schedule.min_lr", "is ", config.schedule.min_lr, ", expected at most optimiser.lr, ",
         config.optimiser.lr);
  }
  if (config.run.out.empty()) fail("run.out", "is empty, expected the folder of the run");
}

}  // namespace

void ReadToml(std::string_view text, const std::string& file, const std::vector<Option>& options) {
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    ThrowBadInput(file, "line ", error.source().begin.line, ": ", Printable(error.description()));
  }
  for (const auto& [section, node] : table) {
    const std::string prefix(section.str());
    const auto check = [&](const std::string& key, const toml::node& value) {
      const std::string reason = SetOption(options, key, ToJson(value, file));
      if (!reason.empty()) ThrowBadInput(file, "line ", value.source().begin.line, ": ", reason);
    };
    if (!node.is_table()) {
      check(prefix, node);
      continue;
    }
    bool known = false;
    for (const Option& option : options) known |= SectionOf(option.key) == prefix;
    if (!known) ThrowBadInput(file, "line ", node.source().begin.line, ": ", UnknownOption(options, prefix));
    for (const auto& [key, value] : *node.as_table()) check(prefix + "." + std::string(key.str()), value);
  }
}

std::string WriteToml(const std::vector<Option>& options, const std::vector<Option>& defaults,
                      const std::string& title) {
  MVD_CHECK_EQ(options.size(), defaults.size());
  std::string text = "# " + title + "\n", section;
  for (size_t i = 0; i < options.size(); ++i) {
    if (section != SectionOf(options[i].key)) {
      section = SectionOf(options[i].key);
      text += "\n[" + section + "]\n";
    }
    text += Comment(options[i], defaults[i]) + "\n";
    text += options[i].key.substr(section.size() + 1) + " = " + ShowValue(options[i]) + "\n";
  }
  return text;
}

void CheckRunConfig(const DiffusionConfig& config, const std::string& file) {
  CheckCommon(config, file);
  if (config.data.frames < 2) ThrowBadInput(file, "key 'data.frames' is 1, expected 2 or more: a clip moves");
}

void CheckRunConfig(const AutoencoderConfig& config, const std::string& file) {
  CheckCommon(config, file);
  if (config.l1 == 0 && config.mse == 0 && config.edges == 0) {
    ThrowBadInput(file, "key 'loss.l1' is 0 as loss.mse and loss.edges are, expected one above 0");
  }
}

void CheckRunConfig(const FeaturesConfig& config, const std::string& file) {
  CheckCommon(config, file);
  if (config.data.kind != "synth") {
    ThrowBadInput(file, "key 'data.kind' is '", config.data.kind,
                  "', expected 'synth': only made-up clips know their kind and flow");
  }
  if (config.data.frames < 2) ThrowBadInput(file, "key 'data.frames' is 1, expected 2 or more: a clip moves");
}

void CheckRunConfig(const AdversarialConfig& config, const std::string& file) {
  CheckRunConfig(static_cast<const DiffusionConfig&>(config), file);
  if (config.sigma_min >= config.sigma_max) {
    ThrowBadInput(file, "key 'generator.sigma_min' is ", config.sigma_min,
                  ", expected less than generator.sigma_max, ", config.sigma_max);
  }
  if (config.adversarial == 0 && config.pseudo_huber == 0) {
    ThrowBadInput(file,
                  "key 'generator.adversarial' is 0 as generator.pseudo_huber is, expected one above 0");
  }
  if (!config.teacher.empty() && (config.levels > 2 || config.frame_noise != "independent")) {
    ThrowBadInput(
        file, "key 'generator.teacher' is set while 'generator.levels' is ", config.levels,
        " and 'generator.frame_noise' \"", config.frame_noise,
        "\", expected 2 and \"independent\": a teacher begins with noise alone, each frame with its own");
  }
  // Frames that share their noise differ by the clip alone, so that a generator that is asked at a lower
  // level reads the motion off the noised clip.
  if (config.frame_noise == "shared" && config.levels > 2) {
    ThrowBadInput(
        file, "key 'generator.frame_noise' is \"shared\" while 'generator.levels' is ", config.levels,
        ", expected 2 levels, of which clips are noised to the highest alone: below it, shared noise "
        "shows the generator the motion that it is to make");
  }
  if (config.width % kHeadGroups) {
    ThrowBadInput(file, "key 'discriminator.width' is ", config.width, ", expected a multiple of ",
                  kHeadGroups);
  }
}

template <class Config>
Config ReadRunConfig(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  Config config;
  const std::vector<Option> options = ListOptions(config);
  if (!file.empty()) ReadToml(ReadFile(file, kMaxTomlBytes), file.string(), options);
  for (const std::string& assignment : overrides) ApplyOverride(assignment, options);
  CheckRunConfig(config, file.empty() ? "options" : file.string());
  return config;
}
template DiffusionConfig ReadRunConfig(const std::filesystem::path&, const std::vector<std::string>&);
template AutoencoderConfig ReadRunConfig(const std::filesystem::path&, const std::vector<std::string>&);
template FeaturesConfig ReadRunConfig(const std::filesystem::path&, const std::vector<std::string>&);
template AdversarialConfig ReadRunConfig(const std::filesystem::path&, const std::vector<std::string>&);

}  // namespace mvd
