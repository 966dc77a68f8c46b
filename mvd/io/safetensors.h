// safetensors files: a strict reader over a memory map, and a writer that streams. A reader that accepts a
// file another one reads differently is a hole, so every rule of the format is enforced, and a message says
// which.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mvd/base/atomic_file.h"
#include "mvd/base/tensor.h"
#include "mvd/base/weight_source.h"
#include "mvd/io/file_types.h"
#include "mvd/io/mapped_file.h"

namespace mvd {

// The format's own limit on the header, then ours.
inline constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;
inline constexpr size_t kMaxSafetensorsTensors = 100'000;  // and as many metadata entries
inline constexpr size_t kMaxSafetensorsNameBytes = 1024;   // tensor names and metadata keys
inline constexpr int kMaxSafetensorsRank = 8;

struct SafetensorsTensor {
  const FileType* type = nullptr;  // in the file
  TensorInfo info;                 // as readers get it; of types that are not read the shape alone counts
  uint64_t begin = 0;              // bytes from the start of the file
  uint64_t bytes = 0;              // there
};

struct SafetensorsHeader {
  std::map<std::string, SafetensorsTensor> tensors;
  std::map<std::string, std::string> metadata;  // of "__metadata__"; empty where there is none
  uint64_t data_begin = 0;                      // bytes from the start of the file
};

// Parses and validates the header. `file_prefix` holds the first bytes of a file of `file_size` bytes, all of
// its header at least. Throws Error(kBadInput) naming `file`. Choices where readers differ:
// - the header's first byte is '{' (the format's README; the Rust reader also skips leading blanks);
// - JSON blanks may follow the object, NUL bytes may not;
// - nesting is what the format has, three levels;
// - a tensor's object holds exactly dtype, shape and data_offsets; sizes are plain non-negative integers;
// - the product of a shape's non-zero dimensions fits int64 in bytes, also where another dimension is 0;
// - names and metadata keys hold no control characters, so that every message and list stays one line each.
// Every type of the format is accepted here; those that kFileTypes does not read can only be listed.
// Memory used is a small multiple of the header's size.
SafetensorsHeader ParseSafetensorsHeader(std::span<const uint8_t> file_prefix, uint64_t file_size,
                                         const std::string& file);

class SafetensorsFile {
 public:
  // Error(kNotFound) where `path` is absent, Error(kBadInput) where it breaks a rule.
  static SafetensorsFile Open(const std::filesystem::path& path);
  // A file of a model folder: see MappedFile::OpenInside.
  static SafetensorsFile OpenInside(const std::filesystem::path& folder, const std::string& name);

  const std::string& path() const { return map_.path(); }
  uint64_t file_size() const { return map_.bytes().size(); }
  const std::map<std::string, SafetensorsTensor>& tensors() const { return header_.tensors; }
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }

  // Points into the map, or to a copy of what is stored in F8; valid until Release or this object's end. The
  // data may be UNALIGNED for its type (the format only packs): read it through memcpy or mvd::Convert, or
  // ask IsAligned first; f32() is for aligned data. Throws Error(kBadInput) where the tensor is absent or of
  // a type that is not read.
  TensorView Get(const std::string& name) const;
  // Drops the tensor's pages from memory, and its copy.
  void Release(const std::string& name) const;

 private:
  struct Widened {  // by name; several threads may read one file
    std::mutex mutex;
    std::map<std::string, std::vector<uint16_t>> tensors;
  };

  SafetensorsFile(MappedFile map, SafetensorsHeader header)
      : map_(std::move(map)), header_(std::move(header)), widened_(std::make_unique<Widened>()) {}
  static SafetensorsFile FromMap(MappedFile map);
  const SafetensorsTensor& Entry(const std::string& name) const;

  MappedFile map_;
  SafetensorsHeader header_;
  std::unique_ptr<Widened> widened_;
};

// Whether the data may be read in place.
bool IsAligned(const TensorView& view);

// Writes a file tensor by tensor, holding none of the data: declare all, write each once in any order,
// commit. The layout is a function of names, types, shapes and metadata alone: tensors by falling element
// size, then by name, so that each is aligned to its type; the header starts with '{' and is padded with
// blanks to 8 bytes.
class SafetensorsWriter {
 public:
  // Error(kBadInput) where a name, shape or metadata string is one the reader would refuse; else as
  // AtomicFile.
  SafetensorsWriter(const std::filesystem::path& target, const std::map<std::string, TensorInfo>& tensors,
                    const std::map<std::string, std::string>& metadata = {}, Replace replace = Replace::kYes);
  ~SafetensorsWriter();  // without Commit nothing is left behind
  SafetensorsWriter(const SafetensorsWriter&) = delete;
  SafetensorsWriter& operator=(const SafetensorsWriter&) = delete;

  // `tensor` has the declared type and shape (anything else is our bug). Errors as ThrowUnwritable.
  void Write(const std::string& name, const TensorView& tensor);
  // Every declared tensor was written. The file appears at the target.
  void Commit();

 private:
  std::string target_;
  AtomicFile file_;
  SafetensorsHeader header_;
  std::string prefix_;  // the header's length and the header
  std::set<std::string> written_;
  int descriptor_ = -1;
};

void WriteSafetensors(const std::filesystem::path& path, const std::map<std::string, TensorView>& tensors,
                      const std::map<std::string, std::string>& metadata = {},
                      Replace replace = Replace::kYes);

}  // namespace mvd
