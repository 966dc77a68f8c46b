#include "mvd/models/config_json.h"

#include <algorithm>
#include <cmath>

namespace mvd {
namespace {

using nlohmann::json;

// A value as an error message shows it: one short line of ASCII whatever the file holds.
std::string Show(const json& value, size_t limit = 60) {
  if (value.is_object()) return "an object";
  if (value.is_array() && value.size() > 16) return StrCat("a list of ", value.size());
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace);
  std::replace(text.begin(), text.end(), '\x7f', '?');
  if (text.size() > limit) text = text.substr(0, limit) + "...";
  return text;
}

bool ToInteger(const json& found, int64_t* value) {
  if (!found.is_number_integer()) return false;
  if (found.is_number_unsigned() && found.get<uint64_t>() > uint64_t(INT64_MAX)) return false;
  *value = found.get<int64_t>();
  return true;
}

}  // namespace

std::string ShowText(std::string_view text) { return Show(std::string(text), 160); }

void ConfigChecker::Range(std::string_view key, int64_t value, int64_t least, int64_t most) const {
  if (value < least || value > most) {
    Fail(key, "is ", value, ", expected ", least, " to ", most);
  }
}

void ConfigChecker::Range(std::string_view key, const std::vector<int64_t>& values, int64_t least,
                          int64_t most) const {
  for (int64_t value : values) Range(key, value, least, most);
}

void ConfigChecker::Range(std::string_view key, const IntOrList& values, size_t blocks, int64_t least,
                          int64_t most) const {
  if (values.values.size() != 1 && values.values.size() != blocks) {
    Fail(key, "has ", values.values.size(), " values, expected one or one for each of ", blocks, " blocks");
  }
  Range(key, values.values, least, most);
}

void ConfigChecker::Real(std::string_view key, double value, double least, double most) const {
  if (!(value > least && value <= most)) {
    Fail(key, "is ", value, ", expected above ", least, " and at most ", most);
  }
}

void ConfigChecker::Length(std::string_view key, size_t found, size_t least, size_t most) const {
  if (found >= least && found <= most) return;
  if (least == most) Fail(key, "has ", found, " values, expected ", least);
  Fail(key, "has ", found, " values, expected ", least, " to ", most);
}

void ConfigChecker::Multiple(std::string_view key, int64_t value, int64_t of, std::string_view why) const {
  if (value % of != 0) Fail(key, "is ", value, ", expected a multiple of ", of, " (", why, ")");
}

void ConfigChecker::OneOf(std::string_view key, std::string_view value,
                          const std::vector<std::string_view>& supported) const {
  if (std::find(supported.begin(), supported.end(), value) != supported.end()) return;
  std::string list;
  for (std::string_view name : supported) list += (list.empty() ? "" : ", ") + std::string(name);
  Fail(key, "is ", Show(std::string(value)), ", supported: ", list);
}

ConfigReader::ConfigReader(const json& json, const std::string& file, std::string_view class_key,
                           std::string_view class_name)
    : json_(json), file_(file) {
  if (!json.is_object()) ThrowBadInput(file, "expected a JSON object, found ", Show(json));
  const auto found = json.find(class_key);
  if (found != json.end() && *found != class_name) {
    ThrowBadInput(file, "key '", class_key, "' is ", Show(*found), ", expected \"", class_name, "\"");
  }
}

const json* ConfigReader::Find(const char* key) const {
  const auto found = json_.find(key);
  return found == json_.end() ? nullptr : &*found;
}

void ConfigReader::Wrong(const char* key, const json& found, std::string_view expected) const {
  ThrowBadInput(file_, "key '", key, "' is ", Show(found), ", expected ", expected);
}

void ConfigReader::Convert(const char* key, const json& found, bool& value) const {
  if (!found.is_boolean()) Wrong(key, found, "true or false");
  value = found.get<bool>();
}

void ConfigReader::Convert(const char* key, const json& found, int64_t& value) const {
  if (!ToInteger(found, &value)) Wrong(key, found, "an integer");
}

void ConfigReader::Convert(const char* key, const json& found, double& value) const {
  if (!found.is_number()) Wrong(key, found, "a number");
  value = found.get<double>();
  if (!std::isfinite(value)) Wrong(key, found, "a finite number");
}

void ConfigReader::Convert(const char* key, const json& found, float& value) const {
  double wide = 0;
  Convert(key, found, wide);
  value = float(wide);
  if (!std::isfinite(value)) Wrong(key, found, "a number that fits 32 bits");
}

void ConfigReader::Convert(const char* key, const json& found, std::string& value) const {
  if (!found.is_string()) Wrong(key, found, "a string");
  value = found.get<std::string>();
}

void ConfigReader::operator()(const char* key, bool& value) const {
  if (const json* const found = Find(key)) Convert(key, *found, value);
}
void ConfigReader::operator()(const char* key, int64_t& value) const {
  if (const json* const found = Find(key)) Convert(key, *found, value);
}
void ConfigReader::operator()(const char* key, double& value) const {
  if (const json* const found = Find(key)) Convert(key, *found, value);
}
void ConfigReader::operator()(const char* key, std::string& value) const {
  if (const json* const found = Find(key)) Convert(key, *found, value);
}
void ConfigReader::operator()(const char* key, std::map<std::string, int64_t>& values) const {
  const json* const found = Find(key);
  if (!found) return;
  values.clear();
  if (found->is_null()) return;
  if (!found->is_object()) Wrong(key, *found, "an object of integers");
  if (found->size() > kMaxListLength) Wrong(key, *found, "fewer entries");
  for (const auto& [name, item] : found->items()) Convert(key, item, values[name]);
}
void ConfigReader::operator()(const char* key, IntOrList& value) const {
  int64_t one = 0;
  const json* const found = Find(key);
  if (found && ToInteger(*found, &one)) {
    value.values = {one};
  } else if (found && !found->is_array() && !found->is_null()) {
    Wrong(key, *found, "an integer or a list of integers");
  } else {
    (*this)(key, value.values);
  }
}

}  // namespace mvd
