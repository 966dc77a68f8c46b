// JSON text from model folders, read strictly: size, depth and duplicate keys are checked first.
// nlohmann-json keeps the last of two equal keys, and two readers of one file must never disagree.
#pragma once

#include <cstddef>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace mvd {

inline constexpr size_t kMaxJsonBytes = size_t{16} << 20;
inline constexpr int kMaxJsonDepth = 16;  // diffusers' and transformers' configs stay below 5

// One JSON value and nothing after it. Throws Error(kBadInput) naming `file` and the byte where the text is
// not UTF-8 JSON, repeats a key of one object, nests deeper than kMaxJsonDepth or holds a number beyond f64.
nlohmann::json ParseJson(std::string_view text, const std::string& file);

// The same from a file of at most kMaxJsonBytes that the user named. A missing file is Error(kNotFound).
nlohmann::json ReadJsonFile(const std::filesystem::path& path);
// The same from a file of a model folder, see MappedFile::OpenInside; Error(kBadInput) where it is missing.
nlohmann::json ReadJsonInside(const std::filesystem::path& folder, const std::string& name);

// `text` for an error message: one line, control characters and broken UTF-8 as '?', about `limit` bytes.
std::string Printable(std::string_view text, size_t limit = 120);

// Whether a byte or UTF-8 sequence in `text` moves a terminal's cursor: C0, DEL or C1.
bool HasControlCharacters(std::string_view text);

// Whether `name` names an entry directly inside a folder:
// it may not be empty, "." or "..", may not hold '/', '\' or control characters,
// and has at most 255 bytes.
bool IsPlainBaseName(std::string_view name);

// An iterator for the two parsers here. It records how far it has read, because nlohmann-json tells its
// handlers what it read but not where.
struct TrackedChar {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at = nullptr;
  const char** seen = nullptr;  // the last position reached by any copy
  reference operator*() const { return *at; }
  TrackedChar& operator++() {
    *seen = ++at;
    return *this;
  }
  TrackedChar operator++(int) {
    const TrackedChar before = *this;
    ++*this;
    return before;
  }
  bool operator==(const TrackedChar& other) const { return at == other.at; }
};

// The reason that a nlohmann-json message gives, without its tag and without the text it quotes, which may
// hold a secret or be a hundred megabytes long.
std::string JsonReason(std::string_view what);

}  // namespace mvd
