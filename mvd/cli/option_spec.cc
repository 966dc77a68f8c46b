#include "mvd/cli/option_spec.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

#include "mvd/base/error.h"
#include "mvd/io/json.h"

namespace mvd::cli {
namespace {

constexpr const char* kRandom = "random";

bool HasRange(const OptionSpec& spec) { return spec.least != 0 || spec.most != 0; }

// "1000000", where a stream would say 1e+06.
std::string Show(double value) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof(text), value, std::chars_format::fixed);
  return end.ec == std::errc() && end.ptr - text < 22 ? std::string(text, end.ptr) : StrCat(value);
}

template <class T>
bool ParseWhole(const std::string& text, T& value) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && end == text.data() + text.size();
}

template <class T>
bool SetNumber(const OptionSpec& spec, T value, T& field) {
  if (!std::isfinite(double(value)) || value == kUnset<T>) return false;
  if (HasRange(spec) && (double(value) < spec.least || double(value) > spec.most)) return false;
  field = value;
  return true;
}

template <class T>
bool SetNumberFromText(const OptionSpec& spec, const std::string& text, T& field) {
  T value{};
  return ParseWhole(text, value) && SetNumber(spec, value, field);
}

std::string DefaultText(double value) { return IsUnset(value) ? "" : Show(value); }
std::string DefaultText(int64_t value) { return IsUnset(value) ? "" : StrCat(value); }
std::string DefaultText(int value) { return DefaultText(IsUnset(value) ? kUnset<int64_t> : int64_t(value)); }
std::string DefaultText(uint64_t value) { return StrCat(value); }
std::string DefaultText(const std::string& value) { return value; }
std::string DefaultText(const std::vector<double>& values) {
  std::string text;
  for (double value : values) text += (text.empty() ? "" : ",") + Show(value);
  return text;
}

// CLI11's options hold no data of ours.
std::map<const CLI::Option*, DeclaredOption>& AllDeclared() {
  static std::map<const CLI::Option*, DeclaredOption> all;
  return all;
}

std::string Names(const OptionSpec& spec) {
  return spec.aliases.empty() ? spec.flags : spec.flags + "," + spec.aliases;
}

CLI::Option* Remember(CLI::Option* option, const OptionSpec& spec, std::string default_text,
                      bool takes_value = true) {
  option->group(spec.group)->required(spec.required);
  if (!spec.unset.empty()) default_text = spec.unset;
  AllDeclared()[option] = {spec, std::move(default_text), takes_value};
  return option;
}

// What the option takes, also where only its type bounds it.
template <class T>
std::string ExpectedOf(const OptionSpec& spec) {
  const std::string expected = Expected(spec);
  if (!expected.empty()) return expected;
  return std::is_same_v<T, uint64_t> ? StrCat("0 to ", UINT64_MAX) : "another value";
}

template <class T>
CLI::Option* AddValue(CLI::App& app, const OptionSpec& spec, T& field) {
  const auto set = [spec, &field](const CLI::results_t& results) {
    const std::string& text = results.back();
    if (!SetFromText(spec, text, field))
      ThrowUsage(spec.Flag(), " ", text.empty() ? "''" : Printable(text), ": expected ", ExpectedOf<T>(spec));
    return true;
  };
  CLI::Option* const option = app.add_option(Names(spec), CLI::callback_t(set), spec.help);
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  return Remember(option, spec, DefaultText(field));
}

template <class T>
[[noreturn]] void RefuseJson(const OptionSpec& spec, const nlohmann::json& value, const std::string& file) {
  ThrowBadInput(file, "key '", spec.key, "' is ",
                Printable(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)),
                ", expected ", ExpectedOf<T>(spec));
}

template <class T>
void SetNumberFromJson(const OptionSpec& spec, const nlohmann::json& value, const std::string& file,
                       T& field) {
  if (value.is_null()) {
    field = kUnset<T>;
    return;
  }
  bool fits = value.is_number();
  if constexpr (std::is_integral_v<T>)
    fits = value.is_number_integer() &&
           (!value.is_number_unsigned() || value.get<uint64_t>() <= uint64_t(INT64_MAX));
  if (!fits || !SetNumber(spec, value.get<T>(), field)) RefuseJson<T>(spec, value, file);
}

}  // namespace

std::string OptionSpec::Flag() const { return flags.substr(0, flags.find(',')); }

std::string Expected(const OptionSpec& spec) {
  std::string names;
  for (const std::string& choice : spec.choices) names += (names.empty() ? "" : ", ") + choice;
  const std::string range = HasRange(spec) ? Show(spec.least) + " to " + Show(spec.most) : "";
  if (names.empty()) return range;
  return range.empty() ? "one of " + names : names + " or " + range;
}

bool SetFromText(const OptionSpec& spec, const std::string& text, double& field) {
  return SetNumberFromText(spec, text, field);
}
bool SetFromText(const OptionSpec& spec, const std::string& text, int64_t& field) {
  return SetNumberFromText(spec, text, field);
}
bool SetFromText(const OptionSpec& spec, const std::string& text, int& field) {
  return SetNumberFromText(spec, text, field);
}
bool SetFromText(const OptionSpec& spec, const std::string& text, uint64_t& field) {
  uint64_t value = 0;
  if (!ParseWhole(text, value)) return false;
  if (HasRange(spec) && (double(value) < spec.least || double(value) > spec.most)) return false;
  field = value;
  return true;
}
bool SetFromText(const OptionSpec& spec, const std::string& text, std::string& field) {
  if (!spec.choices.empty() && std::ranges::find(spec.choices, text) == spec.choices.end()) {
    int64_t number = 0;
    if (!HasRange(spec) || !SetNumberFromText(spec, text, number)) return false;
  }
  field = text;
  return true;
}
bool SetFromText(const OptionSpec& spec, const std::string& text, std::vector<double>& field) {
  std::vector<double> values;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    double value = 0;
    if (!SetFromText(spec, text.substr(at, comma - at), value)) return false;
    values.push_back(value);
    at = comma + 1;
  }
  field = std::move(values);
  return true;
}

void SetFromJson(const OptionSpec& spec, const nlohmann::json& value, const std::string& file,
                 double& field) {
  SetNumberFromJson(spec, value, file, field);
}
void SetFromJson(const OptionSpec& spec, const nlohmann::json& value, const std::string& file,
                 int64_t& field) {
  SetNumberFromJson(spec, value, file, field);
}
void SetFromJson(const OptionSpec& spec, const nlohmann::json& value, const std::string& file,
                 uint64_t& field) {
  if (!value.is_number_unsigned() || !SetFromText(spec, value.dump(), field))
    RefuseJson<uint64_t>(spec, value, file);
}
void SetFromJson(const OptionSpec& spec, const nlohmann::json& value, const std::string& file,
                 std::string& field) {
  if (!value.is_string() || !SetFromText(spec, value.get<std::string>(), field))
    RefuseJson<std::string>(spec, value, file);
}

CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, double& field) {
  return AddValue(app, spec, field);
}
CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, int64_t& field) {
  return AddValue(app, spec, field);
}
CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, int& field) {
  return AddValue(app, spec, field);
}
CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, uint64_t& field) {
  return AddValue(app, spec, field);
}
CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, std::string& field) {
  return AddValue(app, spec, field);
}
CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, std::vector<double>& field) {
  return AddValue(app, spec, field);
}

CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, std::vector<std::string>& field) {
  CLI::Option* const option = app.add_option(Names(spec), field, spec.help);
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  // A flag takes one value each time: what stands behind it may be a positional argument.
  if (!option->get_positional()) option->allow_extra_args(false);
  return Remember(option, spec, "");
}

CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, bool& field) {
  CLI::Option* const option = app.add_flag(Names(spec), field, spec.help);
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  return Remember(option, spec, "", false);
}

CLI::Option* AddOption(CLI::App& app, const OptionSpec& spec, std::function<void(const std::string&)> set) {
  CLI::Option* const option = app.add_option_function<std::string>(Names(spec), std::move(set), spec.help);
  option->trigger_on_parse()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  return Remember(option, spec, "");
}

CLI::Option* AddSeed(CLI::App& app, const OptionSpec& spec, uint64_t& field, bool& random) {
  const auto set = [spec, &field, &random](const CLI::results_t& results) {
    const std::string& text = results.back();
    random = text == kRandom || text == "-1";
    if (!random && !SetFromText(spec, text, field))
      ThrowUsage(spec.Flag(), " ", Printable(text), ": expected ", kRandom, " or 0 to ", UINT64_MAX);
    return true;
  };
  CLI::Option* const option = app.add_option(Names(spec), CLI::callback_t(set), spec.help);
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  return Remember(option, spec, DefaultText(field));
}

bool WasGiven(const CLI::App& app, const OptionSpec& spec) { return app.count(spec.Flag()) > 0; }

const DeclaredOption* FindDeclared(const CLI::Option& option) {
  const auto at = AllDeclared().find(&option);
  return at == AllDeclared().end() ? nullptr : &at->second;
}

}  // namespace mvd::cli
