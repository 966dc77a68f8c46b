#include "mvd/io/json.h"

#include <algorithm>
#include <set>
#include <vector>

#include "mvd/base/atomic_file.h"
#include "mvd/base/error.h"
#include "mvd/io/foreign_file.h"
#include "mvd/io/mapped_file.h"

namespace mvd {
namespace {

using nlohmann::json;

// Length of the well-formed UTF-8 sequence at `i`, 0 where there is none (RFC 3629, table 3-7 of Unicode).
size_t Utf8Length(std::string_view text, size_t i) {
  const auto byte = [&](size_t k) { return k < text.size() ? uint8_t(text[k]) : uint8_t{0}; };
  const auto tail = [&](size_t k, uint8_t low = 0x80, uint8_t high = 0xbf) {
    return byte(k) >= low && byte(k) <= high;
  };
  const uint8_t first = byte(i);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(i + 1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const uint8_t low = first == 0xe0 ? 0xa0 : 0x80, high = first == 0xed ? 0x9f : 0xbf;
    return tail(i + 1, low, high) && tail(i + 2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const uint8_t low = first == 0xf0 ? 0x90 : 0x80, high = first == 0xf4 ? 0x8f : 0xbf;
    return tail(i + 1, low, high) && tail(i + 2) && tail(i + 3) ? 4 : 0;
  }
  return 0;
}

bool IsControl(std::string_view text, size_t i) {
  const auto c = uint8_t(text[i]);
  if (c < 0x20 || c == 0x7f) return true;
  return c == 0xc2 && i + 1 < text.size() && uint8_t(text[i + 1]) >= 0x80 && uint8_t(text[i + 1]) <= 0x9f;
}

// Called by the parser as it builds the value; throws at the first broken rule.
class Rules {
 public:
  Rules(const std::string& file, const char* begin, const char* const* seen)
      : file_(file), begin_(begin), seen_(seen) {}

  bool operator()(int depth, json::parse_event_t event, const json& parsed) {
    if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
      if (depth >= kMaxJsonDepth) {
        ThrowBadInput(file_, "byte ", *seen_ - begin_, ": nests deeper than ", kMaxJsonDepth, " levels");
      }
      keys_.resize(size_t(depth) + 1);
      keys_.emplace_back();
    } else if (event == json::parse_event_t::key) {
      const std::string& key = parsed.get_ref<const std::string&>();
      if (!keys_.at(size_t(depth)).insert(key).second) {
        ThrowBadInput(file_, "byte ", *seen_ - begin_, ": key '", Printable(key), "' appears twice");
      }
    }
    return true;
  }

 private:
  const std::string& file_;
  const char* begin_;
  const char* const* seen_;
  std::vector<std::set<std::string>> keys_;  // of the open object at each depth
};

}  // namespace

std::string JsonReason(std::string_view what) {
  if (const size_t tag = what.find("] "); what.starts_with('[') && tag != what.npos) {
    what.remove_prefix(tag + 2);
  }
  return Printable(what.substr(0, what.find("; last read: ")), 200);
}

nlohmann::json ParseJson(std::string_view text, const std::string& file) {
  if (const auto foreign = ForeignFile(text)) ThrowBadInput(file, "is no JSON but ", *foreign);
  // The parser takes NUL for the end of the text, so that anything could follow it unseen.
  if (const size_t nul = text.find('\0'); nul != text.npos) {
    ThrowBadInput(file, "byte ", nul, ": NUL in JSON text");
  }
  const char* seen = text.data();
  Rules rules(file, text.data(), &seen);
  try {
    return json::parse(
        TrackedChar{text.data(), &seen}, TrackedChar{text.data() + text.size(), &seen},
        [&rules](int depth, json::parse_event_t event, json& parsed) { return rules(depth, event, parsed); });
  } catch (const json::exception& error) {
    ThrowBadInput(file, "is not valid JSON near byte ", seen - text.data(), ": ", JsonReason(error.what()));
  }
}

nlohmann::json ReadJsonFile(const std::filesystem::path& path) {
  return ParseJson(ReadFile(path, kMaxJsonBytes), path.string());
}

nlohmann::json ReadJsonInside(const std::filesystem::path& folder, const std::string& name) {
  const MappedFile file = MappedFile::OpenInside(folder, name);
  if (file.bytes().size() > kMaxJsonBytes) {
    ThrowBadInput(file.path(), "has ", file.bytes().size(), " bytes, at most ", kMaxJsonBytes, " are read");
  }
  return ParseJson(file.text(), file.path());
}

std::string Printable(std::string_view text, size_t limit) {
  std::string result;
  for (size_t i = 0; i < text.size();) {
    const size_t length = Utf8Length(text, i);
    const bool plain = length > 0 && !IsControl(text, i);
    if (result.size() + length > limit) return result + "...";
    result += plain ? text.substr(i, length) : "?";
    i += std::max<size_t>(length, 1);
  }
  return result;
}

bool HasControlCharacters(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsControl(text, i)) return true;
  }
  return false;
}

bool IsPlainBaseName(std::string_view name) {
  constexpr size_t kMaxBytes = 255;  // NAME_MAX
  return !name.empty() && name != "." && name != ".." && name.size() <= kMaxBytes &&
         name.find_first_of("/\\") == name.npos && !HasControlCharacters(name);
}

}  // namespace mvd
