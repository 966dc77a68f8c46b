#include "mvd/data/tar_reader.h"

#include <array>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>

#include "mvd/base/error.h"
#include "mvd/base/file_error.h"
#include "mvd/base/paths.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kBlock = 512;
using Block = std::array<char, kBlock>;

// Fields of a ustar header (POSIX.1-1988): name, offset and length.
struct Field {
  size_t at, size;
};
constexpr Field kName{0, 100}, kSize{124, 12}, kChecksum{148, 8}, kType{156, 1}, kMagic{257, 5},
    kPrefix{345, 155};

std::string_view Raw(const Block& block, Field field) { return {block.data() + field.at, field.size}; }

std::string_view Text(const Block& block, Field field) {
  const std::string_view raw = Raw(block, field);
  return raw.substr(0, raw.find('\0'));
}

// Octal digits, with blanks or NUL around them. At most 12 digits: no overflow.
std::optional<uint64_t> Octal(std::string_view raw) {
  constexpr std::string_view kBlank(" \0", 2);
  const size_t begin = raw.find_first_not_of(' ');
  if (begin == raw.npos) return std::nullopt;
  const size_t end = std::min(raw.find_first_of(kBlank, begin), raw.size());
  if (end == begin || raw.find_first_not_of(kBlank, end) != raw.npos) return std::nullopt;
  uint64_t value = 0;
  for (const char c : raw.substr(begin, end - begin)) {
    if (c < '0' || c > '7') return std::nullopt;
    value = value * 8 + uint64_t(c - '0');
  }
  return value;
}

// The sum of the header's bytes, its own field counted as blanks.
uint64_t Checksum(const Block& block) {
  uint64_t sum = kChecksum.size * ' ';
  for (size_t i = 0; i < kBlock; ++i) {
    if (i < kChecksum.at || i >= kChecksum.at + kChecksum.size) sum += static_cast<unsigned char>(block[i]);
  }
  return sum;
}

bool IsSafe(std::string_view name) {
  if (name.empty() || name.front() == '/') return false;
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') return false;
  }
  for (size_t at = 0; at <= name.size();) {
    const size_t slash = std::min(name.find('/', at), name.size());
    const std::string_view part = name.substr(at, slash - at);
    if (part == "." || part == ".." || part.empty()) return false;
    at = slash + 1;
  }
  return true;
}

std::string FullName(const Block& block) {
  const std::string_view prefix = Text(block, kPrefix);
  const std::string name(Text(block, kName));
  return prefix.empty() ? name : std::string(prefix) + "/" + name;
}

// For messages: a name from a hostile file may hold anything.
std::string Shown(std::string name) {
  for (char& c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  }
  return name;
}

bool IsZero(const Block& block) {
  for (const char c : block) {
    if (c) return false;
  }
  return true;
}

}  // namespace

TarListing ListTar(const fs::path& path) {
  if (!PathExists(path)) ThrowNotFound(path.string());
  if (!IsRegularFile(path)) ThrowBadInput(path.string(), "is not a regular file");
  const uint64_t file_size = FileSize(path);
  std::ifstream in(path, std::ios::binary);
  if (!in) ThrowUnreadable(path.string(), errno);
  TarListing listing;
  const auto problem = [&](const auto&... what) {
    listing.problems.push_back(StrCat(path.string(), ": ", what...));
  };
  for (uint64_t at = 0;;) {
    Block block;
    if (file_size - at < kBlock) {
      problem("is truncated: no end mark at byte ", at);
      break;
    }
    in.seekg(std::streamoff(at));
    if (!in.read(block.data(), kBlock)) ThrowBadInput(path.string(), "cannot be read at byte ", at);
    if (IsZero(block)) break;
    const auto sum = Octal(Raw(block, kChecksum));
    if (!sum || *sum != Checksum(block) || Raw(block, kMagic) != "ustar") {
      problem("damaged tar header at byte ", at, "; what follows is skipped");
      break;
    }
    const std::string name = FullName(block);
    const auto size = Octal(Raw(block, kSize));
    at += kBlock;
    if (!size || *size > file_size - at) {
      problem("member '", Shown(name), "' ",
              size ? StrCat("has ", *size, " bytes, ", file_size - at) : "has no size, 0",
              " are left in the file; it and what follows are skipped");
      break;
    }
    const char type = block[kType.at];
    const bool file = type == '0' || type == '\0', folder = type == '5';
    if (!file && !folder) {
      problem("member '", Shown(name), "' is no plain file (type ", int(static_cast<unsigned char>(type)),
              "), skipped");
    } else if (file && !IsSafe(name)) {
      problem("member '", Shown(name), "' has a name that leaves its folder or is malformed, skipped");
    } else if (file) {
      listing.members.push_back({name, at, *size});
    }
    at += *size;
    at += std::min((kBlock - at % kBlock) % kBlock, file_size - at);
  }
  return listing;
}

void ReadRange(const fs::path& path, uint64_t offset, uint64_t size, void* to) {
  std::ifstream in(path, std::ios::binary);
  if (!in) ThrowUnreadable(path.string(), errno);
  in.seekg(std::streamoff(offset));
  in.read(static_cast<char*>(to), std::streamsize(size));
  if (uint64_t(in.gcount()) != size)
    ThrowBadInput(path.string(), "cannot read ", size, " bytes at byte ", offset);
}

}  // namespace mvd
