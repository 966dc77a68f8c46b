// config.json files, read and written through a config's one list of fields. A config is a struct with
//   static constexpr std::string_view kClassKey, kClassName;      the key and value that name its class
//   template <class V> void Visit(V&& v) { v("in_channels", in_channels), ...; }
// and with a function CheckConfig(const ConfigChecker&, const XConfig&) that refuses what the builders could
// not build. The fields' initial values are the original's defaults for absent keys. A key that the original
// does not have is v.Extra(key, field, initial), and is written only if the field differs from `initial`.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mvd/base/error.h"

namespace mvd {

// A JSON integer, the same for all blocks, or a list with one per block. Empty: null.
struct IntOrList {
  std::vector<int64_t> values;

  int64_t operator[](size_t block) const { return values.size() == 1 ? values[0] : values.at(block); }
  bool operator==(const IntOrList&) const = default;
};

// Text of a file as a message shows it: quoted, one short line of ASCII.
std::string ShowText(std::string_view text);

// Checks values that were read. Each function throws Error(kBadInput) naming the file and the key.
class ConfigChecker {
 public:
  explicit ConfigChecker(std::string file) : file_(std::move(file)) {}

  void Range(std::string_view key, int64_t value, int64_t least, int64_t most) const;
  void Range(std::string_view key, const std::vector<int64_t>& values, int64_t least, int64_t most) const;
  // One value, or one for each block.
  void Range(std::string_view key, const IntOrList& values, size_t blocks, int64_t least, int64_t most) const;
  // Finite, and within (least, most].
  void Real(std::string_view key, double value, double least, double most) const;
  void Length(std::string_view key, size_t found, size_t least, size_t most) const;
  void Multiple(std::string_view key, int64_t value, int64_t of, std::string_view why) const;
  void OneOf(std::string_view key, std::string_view value,
             const std::vector<std::string_view>& supported) const;
  template <class... Args>
  [[noreturn]] void Fail(std::string_view key, const Args&... args) const {
    ThrowBadInput(file_, "key '", key, "' ", args...);
  }

 private:
  std::string file_;
};

// Visits a config's fields and fills those that the object has. Wrong types throw Error(kBadInput).
class ConfigReader {
 public:
  // Throws if `json` is not an object or names another class.
  ConfigReader(const nlohmann::json& json, const std::string& file, std::string_view class_key,
               std::string_view class_name);

  void operator()(const char* key, bool& value) const;
  void operator()(const char* key, int64_t& value) const;
  void operator()(const char* key, double& value) const;
  void operator()(const char* key, std::string& value) const;
  void operator()(const char* key, IntOrList& value) const;
  template <class T>
  void operator()(const char* key, std::vector<T>& values) const {
    const nlohmann::json* const found = Find(key);
    if (!found) return;
    values.clear();
    if (found->is_null()) return;
    if (!found->is_array()) Wrong(key, *found, "a list");
    if (found->size() > kMaxListLength) Wrong(key, *found, "a shorter list");
    for (const nlohmann::json& item : *found) {
      T value{};
      Convert(key, item, value);
      values.push_back(value);
    }
  }
  template <class T>
  void operator()(const char* key, std::optional<T>& value) const {
    const nlohmann::json* const found = Find(key);
    if (!found) return;
    value.reset();
    if (found->is_null()) return;
    value.emplace();
    if constexpr (requires { Convert(key, *found, *value); }) {
      Convert(key, *found, *value);
    } else {
      (*this)(key, *value);
    }
  }
  // An object of numbers, or of the fields of a struct.
  void operator()(const char* key, std::map<std::string, int64_t>& values) const;
  template <class T>
  requires requires(T& t, const ConfigReader& r) { t.Visit(r); }
  void operator()(const char* key, T& value) const {
    const nlohmann::json* const found = Find(key);
    if (!found || found->is_null()) return;
    if (!found->is_object()) Wrong(key, *found, "an object");
    value.Visit(ConfigReader(*found, file_));
  }
  template <class T>
  void Extra(const char* key, T& value, const T&) const {
    (*this)(key, value);
  }

 private:
  ConfigReader(const nlohmann::json& object, const std::string& file) : json_(object), file_(file) {}

  static constexpr size_t kMaxListLength = 4096;

  const nlohmann::json* Find(const char* key) const;
  [[noreturn]] void Wrong(const char* key, const nlohmann::json& found, std::string_view expected) const;
  void Convert(const char* key, const nlohmann::json& found, bool& value) const;
  void Convert(const char* key, const nlohmann::json& found, int64_t& value) const;
  void Convert(const char* key, const nlohmann::json& found, double& value) const;
  void Convert(const char* key, const nlohmann::json& found, float& value) const;
  void Convert(const char* key, const nlohmann::json& found, std::string& value) const;

  const nlohmann::json& json_;
  const std::string& file_;
};

// Visits a config's fields and puts them into an object. An empty list is read and written as null, because
// diffusers writes None there.
struct ConfigWriter {
  nlohmann::json json = nlohmann::json::object();

  template <class T>
  void operator()(const char* key, T& value) {
    if constexpr (requires(ConfigWriter w) { value.Visit(w); }) {
      ConfigWriter inner;
      value.Visit(inner);
      json[key] = inner.json;
    } else {
      json[key] = value;
    }
  }
  template <class T>
  void Extra(const char* key, T& value, const T& initial) {
    if (value != initial) (*this)(key, value);
  }
  template <class T>
  void operator()(const char* key, std::vector<T>& values) {
    json[key] = values;
    if (values.empty()) json[key] = nullptr;
  }
  void operator()(const char* key, IntOrList& value) {
    (*this)(key, value.values);
    if (value.values.size() == 1) json[key] = value.values[0];
  }
  template <class T>
  void operator()(const char* key, std::optional<T>& value) {
    json[key] = nullptr;
    if (value) json[key] = *value;
  }
};

// Visits a config's fields and collects their keys, those of Extra included.
struct ConfigKeys {
  std::vector<std::string> names;

  template <class T>
  void operator()(const char* key, T&) {
    names.emplace_back(key);
  }
  template <class T>
  void Extra(const char* key, T&, const T&) {
    names.emplace_back(key);
  }
};

// The config in `json`, checked; `file` is for messages. Unknown keys are ignored, as in the originals.
// Throws Error(kBadInput).
template <class Config>
Config ReadConfig(const nlohmann::json& json, const std::string& file) {
  Config config;
  config.Visit(ConfigReader(json, file, Config::kClassKey, Config::kClassName));
  if constexpr (requires { CheckConfig(ConfigChecker(file), config); }) {
    CheckConfig(ConfigChecker(file), config);
  }
  return config;
}

// All fields and the class's name: what the original's from_pretrained loads.
template <class Config>
nlohmann::json WriteConfig(Config config) {
  ConfigWriter writer;
  config.Visit(writer);
  writer.json[std::string(Config::kClassKey)] = Config::kClassName;
  return writer.json;
}

}  // namespace mvd
