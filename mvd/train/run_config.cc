#include "mvd/train/run_config.h"

#include <charconv>
#include <cmath>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/base/nearest.h"
#include "mvd/io/json.h"

namespace mvd {
namespace {

using nlohmann::json;

std::string ShowNumber(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  std::string shown(text, end);
  if (shown.find_first_of(".en") == shown.npos) shown += ".0";  // TOML tells 7 from 7.0
  return shown;
}

std::string ShowText(const std::string& text) {
  // TOML's literal strings spare JSON its backslashes.
  if (text.find('"') != text.npos && text.find('\'') == text.npos) return "'" + text + "'";
  return json(text).dump();
}

// "'abc', expected a number 0.0 to 1.0"
std::string Expected(const Option& option, std::string_view found) {
  return StrCat("is ", Printable(found, 60), ", expected ", ShowRange(option));
}

// Stores a value that TOML, JSON or the command line gave; the reason why not, or nothing.
std::string Set(const Option& option, const json& value) {
  const std::string found =
      value.is_object() ? "a table" : value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (bool* const* flag = std::get_if<bool*>(&option.value)) {
    if (!value.is_boolean()) return Expected(option, found);
    **flag = value.get<bool>();
    return "";
  }
  if (std::string* const* text = std::get_if<std::string*>(&option.value)) {
    if (option.json && value.is_object()) {
      **text = value.dump();
      return "";
    }
    if (!value.is_string()) return Expected(option, found);
    const std::string given = value.get<std::string>();
    const auto& choices = option.choices;
    if (!choices.empty() && std::find(choices.begin(), choices.end(), given) == choices.end()) {
      return Expected(option, found);
    }
    if (HasControlCharacters(given)) return "holds control characters, expected one line of text";
    if (option.json && !given.empty()) {
      const json object = json::parse(given, nullptr, /*allow_exceptions=*/false);
      if (!object.is_object()) return Expected(option, found);
    }
    **text = given;
    return "";
  }
  const bool integer = std::holds_alternative<int64_t*>(option.value);
  if (integer ? !value.is_number_integer() : !value.is_number()) return Expected(option, found);
  // Compared as f64: ranges of integers end at 1e15, so that nothing within is rounded.
  const double number = value.get<double>();
  if (!(number >= option.least && number <= option.most)) return Expected(option, found);
  if (integer) {
    *std::get<int64_t*>(option.value) = value.get<int64_t>();
  } else {
    *std::get<double*>(option.value) = number;
  }
  return "";
}

template <class T>
bool ParseWhole(const std::string& text, T* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

// The command line's text as the option's type; a string where it does not read as one, for the message.
json FromCommandLine(const Option& option, const std::string& text) {
  double number = 0;
  int64_t whole = 0;
  if (std::holds_alternative<std::string*>(option.value)) return text;
  if (std::holds_alternative<bool*>(option.value) && (text == "true" || text == "false"))
    return text == "true";
  if (std::holds_alternative<int64_t*>(option.value) && ParseWhole(text, &whole)) return whole;
  if (std::holds_alternative<double*>(option.value) && ParseWhole(text, &number) && std::isfinite(number)) {
    return number;
  }
  return text;
}

std::string_view NameOf(std::string_view key) { return key.substr(key.find('.') + 1); }

const Option* FindOption(const std::vector<Option>& options, std::string_view key) {
  for (const Option& option : options) {
    if (option.key == key) return &option;
  }
  return nullptr;
}

}  // namespace

std::string ShowValue(const Option& option) {
  if (const auto* flag = std::get_if<bool*>(&option.value)) return **flag ? "true" : "false";
  if (const auto* whole = std::get_if<int64_t*>(&option.value)) return StrCat(**whole);
  if (const auto* number = std::get_if<double*>(&option.value)) return ShowNumber(**number);
  return ShowText(*std::get<std::string*>(option.value));
}

std::string ShowRange(const Option& option) {
  if (std::holds_alternative<bool*>(option.value)) return "true or false";
  if (option.json) return "a JSON object";
  if (std::holds_alternative<std::string*>(option.value)) {
    if (option.choices.empty()) return "text";
    std::string list;
    for (const std::string& choice : option.choices) list += (list.empty() ? "" : " | ") + ShowText(choice);
    return list;
  }
  const bool integer = std::holds_alternative<int64_t*>(option.value);
  const auto show = [&](double bound) { return integer ? StrCat(int64_t(bound)) : ShowNumber(bound); };
  const std::string kind = integer ? "an integer, " : "a number, ";
  if (option.most >= 1e15) return kind + show(option.least) + " or more";
  return kind + show(option.least) + " to " + show(option.most);
}

std::string UnknownOption(const std::vector<Option>& options, std::string_view key) {
  const std::string message = StrCat("key '", Printable(key, 80), "' is unknown");
  std::vector<std::string> keys;
  for (const Option& option : options) {
    // The right name in a wrong section is the commonest slip.
    if (NameOf(option.key) == NameOf(key)) return message + ", did you mean '" + option.key + "'?";
    keys.push_back(option.key);
  }
  return message + DidYouMean(key, keys);
}

std::string SetOption(const std::vector<Option>& options, std::string_view key, const json& value) {
  const Option* const option = FindOption(options, key);
  if (!option) return UnknownOption(options, key);
  const std::string reason = Set(*option, value);
  return reason.empty() ? "" : StrCat("key '", key, "' ", reason);
}

void ApplyOverride(const std::string& assignment, const std::vector<Option>& options) {
  const size_t equals = assignment.find('=');
  if (equals == assignment.npos) {
    ThrowUsage("--set is '", Printable(assignment), "', expected KEY=VALUE such as optimiser.lr=1e-5");
  }
  const std::string key = assignment.substr(0, equals);
  const Option* const option = FindOption(options, key);
  if (!option) ThrowUsage("command line: ", UnknownOption(options, key));
  const std::string reason = Set(*option, FromCommandLine(*option, assignment.substr(equals + 1)));
  if (!reason.empty()) ThrowUsage("command line: key '", key, "' ", reason);
}

json WriteOptionsJson(const std::vector<Option>& options) {
  json object = json::object();
  for (const Option& option : options) {
    std::visit([&](const auto* value) { object[option.key] = *value; }, option.value);
  }
  return object;
}

void ReadOptionsJson(const json& object, const std::string& file, const std::vector<Option>& options) {
  if (!object.is_object()) ThrowBadInput(file, "expected a JSON object of options");
  for (const auto& [key, value] : object.items()) {
    const std::string reason = SetOption(options, key, value);
    if (!reason.empty()) ThrowBadInput(file, reason);
  }
}

std::vector<Difference> CompareOptions(const std::vector<Option>& before, const std::vector<Option>& after) {
  MVD_CHECK_EQ(before.size(), after.size());
  std::vector<Difference> differences;
  for (size_t i = 0; i < before.size(); ++i) {
    MVD_CHECK_EQ(before[i].key, after[i].key);
    const std::string old_value = ShowValue(before[i]), new_value = ShowValue(after[i]);
    if (old_value == new_value) continue;
    const bool allowed =
        before[i].on_resume == OnResume::kAllowed && after[i].on_resume == OnResume::kAllowed;
    differences.push_back(
        {after[i].key, old_value, new_value, allowed ? OnResume::kAllowed : OnResume::kFixed});
  }
  return differences;
}

std::vector<Difference> CheckResume(const std::vector<Option>& before, const std::vector<Option>& after) {
  std::vector<Difference> allowed;
  std::string refused;
  for (const Difference& difference : CompareOptions(before, after)) {
    if (difference.on_resume == OnResume::kAllowed) {
      allowed.push_back(difference);
    } else {
      refused += StrCat(refused.empty() ? "" : "; ", difference.key, " was ", difference.before, ", now ",
                        difference.after);
    }
  }
  if (!refused.empty()) {
    ThrowUsage("the run cannot be resumed with another configuration: ", refused,
               " (undo the change, or start a new run)");
  }
  return allowed;
}

}  // namespace mvd
