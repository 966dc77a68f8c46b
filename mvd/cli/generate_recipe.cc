#include "mvd/cli/generate_recipe.h"

#include <algorithm>

#include "mvd/base/atomic_file.h"
#include "mvd/io/json.h"
#include "mvd/io/json_text.h"
#include "mvd/media/clip.h"

namespace mvd::cli {
namespace fs = std::filesystem;
namespace {

std::string Text(const nlohmann::json& recipe, const char* key, const std::string& file) {
  const auto found = recipe.find(key);
  if (found == recipe.end() || found->is_null()) return "";
  if (!found->is_string())
    ThrowBadInput(file, "key '", key, "' is ", Printable(JsonText(*found)), ", expected text");
  const auto& text = found->get_ref<const std::string&>();
  if (HasControlCharacters(text))
    ThrowBadInput(file, "key '", key, "' holds control characters: ", Printable(text));
  return text;
}

// Every option of a recipe by its key.
nlohmann::json Values(GenerateOptions options) {
  nlohmann::json values;
  options.VisitRecipe([&](const OptionSpec& spec, auto& value) { values[spec.key] = value; });
  return values;
}

// The model and a preset exclude each other: who gives one wants nothing of the recipe's other one.
bool IsOfModel(const std::string& key) { return key == "preset" || key == "weight_seed"; }

}  // namespace

Recipe ParseRecipe(const std::string& text, const std::string& file) {
  const nlohmann::json json = ParseJson(text, file);
  if (!json.is_object() || !json.contains("options") || !json["options"].is_object())
    ThrowBadInput(file, "carries no recipe of mobilevd");
  Recipe recipe;
  recipe.file = file;
  recipe.options = json["options"];
  recipe.model = Text(json, "model", file);
  recipe.model_hash = Text(json, "model_hash", file);
  // Older recipes hold a whole path.
  recipe.image = fs::path(Text(json, "image", file)).filename().string();
  recipe.image_hash = Text(json, "image_hash", file);
  return recipe;
}

Recipe ReadRecipeFile(const fs::path& file) {
  const auto text =
      file.extension() == ".json" ? std::optional(ReadFile(file, kMaxJsonBytes)) : ReadRecipe(file);
  if (!text) ThrowBadInput(file.string(), "carries no recipe");
  return ParseRecipe(*text, file.string());
}

std::string WriteRecipe(const GenerateOptions& options, const Recipe& about) {
  return JsonText({{"program", "mobilevd"},
                   {"version", MVD_VERSION},
                   {"model", about.model},
                   {"model_hash", about.model_hash},
                   {"image", about.image},
                   {"image_hash", about.image_hash},
                   {"options", Values(options)}});
}

std::vector<std::string> ApplyRecipe(const CLI::App& app, const Recipe& recipe, GenerateOptions& o) {
  const nlohmann::json before = Values(o);
  const bool model_given = app.count("--model") > 0, preset_given = app.count("--preset") > 0;
  std::vector<std::string> given;
  const auto wanted = [&](const OptionSpec& spec) {
    if (model_given && IsOfModel(spec.key)) return false;
    if (!WasGiven(app, spec)) return true;
    given.push_back(spec.key);
    return false;
  };
  GenerateOptions theirs = o;
  ReadRecipeOptions(recipe.options, recipe.file, theirs, [](const OptionSpec&) { return true; });
  ReadRecipeOptions(recipe.options, recipe.file, o, wanted);
  if (!model_given && !preset_given && o.preset.empty()) o.model = recipe.model;
  const nlohmann::json said = Values(theirs);
  std::erase_if(given, [&](const std::string& key) {
    return !recipe.options.contains(key) || (said[key] == before[key] && !(key == "seed" && o.random_seed));
  });
  return given;
}

std::vector<std::string> ApplyRecipeOfLatents(const CLI::App& app, const Recipe& recipe, GenerateOptions& o) {
  const nlohmann::json before = Values(o);
  const std::vector<std::string> differ = ApplyRecipe(app, recipe, o);
  for (const std::string& key : differ) {
    if (key == "fps" || key == "decoder" || key == "decode_chunk_size" || key == "dtype") continue;
    ThrowUsage(recipe.file, ": these latents were made with ", key, " ",
               Printable(JsonText(recipe.options[key])), ", and ", Printable(JsonText(before[key])),
               " comes too late; fps, decoder, decode_chunk_size and dtype can be changed");
  }
  // The network was given the rate that they were made for.
  GenerateOptions theirs;
  ReadRecipeOptions(recipe.options, recipe.file, theirs, [](const OptionSpec&) { return true; });
  if (IsUnset(theirs.fps_id) && !IsUnset(theirs.fps) && o.fps != theirs.fps) o.fps_id = theirs.fps - 1;
  return differ;
}

fs::path FindImage(const Recipe& recipe) {
  if (recipe.image.empty()) ThrowBadInput(recipe.file, "the recipe names no picture; give one");
  if (!IsPlainBaseName(recipe.image))
    ThrowBadInput(recipe.file, "key 'image' is '", Printable(recipe.image), "', expected a file's name");
  const fs::path beside = fs::path(recipe.file).parent_path() / recipe.image;
  std::error_code code;
  if (fs::exists(beside, code)) return beside;
  throw Error(Exit::kNotFound, recipe.file,
              StrCat("its picture '", Printable(recipe.image), "' is not beside it; give the picture, too: ",
                     "mobilevd generate PICTURE --recipe ", recipe.file));
}

std::string CompareModel(const Recipe& recipe, const std::string& model_hash) {
  if (recipe.model_hash.empty() || recipe.model_hash == model_hash) return "";
  return StrCat(recipe.file, ": the recipe's model '", Printable(recipe.model), "' is another one (hash ",
                Printable(recipe.model_hash, 32), ", here ", model_hash.empty() ? "none" : model_hash,
                "): the clip will not be the same");
}

std::string CompareImage(const Recipe& recipe, const std::string& image, const std::string& image_hash) {
  if (recipe.image_hash.empty() || recipe.image_hash == image_hash) return "";
  return StrCat(recipe.file, ": the recipe's picture '", Printable(recipe.image), "' is not ", image,
                " (hash ", Printable(recipe.image_hash, 32), ", here ", image_hash,
                "): the clip will not be the same");
}

std::string ModelForRecipe(const std::string& model) {
  fs::path path(model);
  if (!path.is_absolute()) return model;
  path = path.lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

}  // namespace mvd::cli
