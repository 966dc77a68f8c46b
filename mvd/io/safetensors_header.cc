// The header of a safetensors file. Read as a stream of JSON events, so that duplicate keys are seen and no
// tree of an attacker's making is built; whatever passes has exactly one meaning.
#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "mvd/io/foreign_file.h"
#include "mvd/io/json.h"
#include "mvd/io/safetensors.h"

namespace mvd {
namespace {

constexpr uint64_t kLengthBytes = 8;

// Builds a SafetensorsHeader from JSON events; offsets stay relative to the data until Finish.
class HeaderBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderBuilder(const std::string& file, std::string_view text, const char* const* seen, uint64_t data_bytes)
      : file_(file), text_(text), seen_(seen), data_bytes_(data_bytes) {}

  bool start_object(size_t) override;
  bool key(string_t& name) override;
  bool end_object() override;
  bool start_array(size_t) override;
  bool end_array() override;
  bool string(string_t& value) override;
  bool number_unsigned(number_unsigned_t value) override;
  bool number_integer(number_integer_t value) override { Fail("negative number ", value); }
  bool number_float(number_float_t, const string_t& digits) override {
    Fail("number ", Printable(digits, 40), " is no 64-bit integer");
  }
  bool null() override { Fail("null where ", Expected(), " belongs"); }
  bool boolean(bool) override { Fail("a boolean where ", Expected(), " belongs"); }
  bool binary(binary_t&) override { Fail("binary data"); }
  bool parse_error(size_t, const std::string&, const nlohmann::json::exception& error) override {
    Fail("not valid JSON: ", JsonReason(error.what()));
  }

  SafetensorsHeader Finish();

 private:
  enum class In { kNothing, kHeader, kMetadata, kTensor, kShape, kOffsets, kEnd };

  template <class... Args>
  [[noreturn]] void Fail(const Args&... args) const {
    ThrowBadInput(file_, "header byte ", *seen_ - text_.data(), ": ", Where(), args...);
  }
  std::string Where() const;
  std::string Expected() const;
  void CheckName(const std::string& name) const;
  void StartField(const std::string& name);
  void EndTensor();

  const std::string& file_;
  std::string_view text_;
  const char* const* seen_;
  uint64_t data_bytes_;

  SafetensorsHeader header_;
  In in_ = In::kNothing;
  bool metadata_seen_ = false;
  std::string name_;   // of the tensor being read
  std::string field_;  // the last key inside a tensor or __metadata__
  std::string dtype_;
  std::vector<uint64_t> shape_, offsets_;
  bool dtype_seen_ = false, shape_seen_ = false, offsets_seen_ = false;
};

std::string HeaderBuilder::Where() const {
  if (in_ == In::kMetadata) return "__metadata__: ";
  if (in_ == In::kTensor || in_ == In::kShape || in_ == In::kOffsets) {
    return "tensor '" + Printable(name_) + "': ";
  }
  return "";
}

std::string HeaderBuilder::Expected() const {
  switch (in_) {
    case In::kNothing:
    case In::kEnd:
      return "the header's object";
    case In::kHeader:
      return "the object of '" + Printable(name_) + "'";
    case In::kMetadata:
      return "a string for '" + Printable(field_) + "'";
    case In::kTensor:
      return field_ == "dtype" ? "the string dtype" : "the list " + field_;
    case In::kShape:
      return "a size in shape";
    case In::kOffsets:
      return "an offset in data_offsets";
  }
  return "";
}

void HeaderBuilder::CheckName(const std::string& name) const {
  if (name.size() > kMaxSafetensorsNameBytes) {
    Fail("name '", Printable(name, 40), "' has ", name.size(), " bytes, at most ", kMaxSafetensorsNameBytes);
  }
  if (HasControlCharacters(name)) Fail("name '", Printable(name), "' holds control characters");
}

bool HeaderBuilder::start_object(size_t) {
  if (in_ == In::kNothing) {
    in_ = In::kHeader;
  } else if (in_ == In::kHeader) {
    in_ = name_ == "__metadata__" ? In::kMetadata : In::kTensor;
    dtype_seen_ = shape_seen_ = offsets_seen_ = false;
  } else {
    Fail("an object where ", Expected(), " belongs");
  }
  return true;
}

bool HeaderBuilder::key(string_t& name) {
  if (in_ == In::kTensor) {
    StartField(name);
    return true;
  }
  CheckName(name);
  if (in_ == In::kMetadata) {
    if (header_.metadata.contains(name)) Fail("key '", Printable(name), "' appears twice");
    if (header_.metadata.size() >= kMaxSafetensorsTensors) {
      Fail("more than ", kMaxSafetensorsTensors, " entries");
    }
    field_ = std::move(name);
    return true;
  }
  const bool twice = name == "__metadata__" ? metadata_seen_ : header_.tensors.contains(name);
  if (twice) Fail("key '", Printable(name), "' appears twice");
  if (name == "__metadata__") {
    metadata_seen_ = true;
  } else if (header_.tensors.size() >= kMaxSafetensorsTensors) {
    Fail("more than ", kMaxSafetensorsTensors, " tensors");
  }
  name_ = std::move(name);
  return true;
}

void HeaderBuilder::StartField(const std::string& name) {
  bool* seen = nullptr;
  if (name == "dtype") seen = &dtype_seen_;
  if (name == "shape") seen = &shape_seen_;
  if (name == "data_offsets") seen = &offsets_seen_;
  if (!seen) Fail("unknown key '", Printable(name), "', expected dtype, shape and data_offsets");
  if (*seen) Fail("key '", name, "' appears twice");
  *seen = true;
  field_ = name;
}

bool HeaderBuilder::end_object() {
  if (in_ == In::kTensor) EndTensor();
  in_ = in_ == In::kHeader ? In::kEnd : In::kHeader;
  return true;
}

bool HeaderBuilder::start_array(size_t) {
  if (in_ != In::kTensor || field_ == "dtype") Fail("a list where ", Expected(), " belongs");
  in_ = field_ == "shape" ? In::kShape : In::kOffsets;
  (in_ == In::kShape ? shape_ : offsets_).clear();
  return true;
}

bool HeaderBuilder::end_array() {
  if (in_ == In::kOffsets && offsets_.size() != 2) {
    Fail("data_offsets has ", offsets_.size(), " entries, expected begin and end");
  }
  in_ = In::kTensor;
  return true;
}

bool HeaderBuilder::string(string_t& value) {
  if (in_ == In::kMetadata) {
    header_.metadata.emplace(std::move(field_), std::move(value));
  } else if (in_ == In::kTensor && field_ == "dtype") {
    dtype_ = std::move(value);
  } else {
    Fail("a string where ", Expected(), " belongs");
  }
  return true;
}

bool HeaderBuilder::number_unsigned(number_unsigned_t value) {
  if (in_ == In::kShape) {
    if (shape_.size() >= size_t(kMaxSafetensorsRank))
      Fail("shape has more than ", kMaxSafetensorsRank, " axes");
    shape_.push_back(value);
  } else if (in_ == In::kOffsets) {
    if (offsets_.size() >= 2) Fail("data_offsets has more than 2 entries");
    offsets_.push_back(value);
  } else {
    Fail("a number where ", Expected(), " belongs");
  }
  return true;
}

void HeaderBuilder::EndTensor() {
  if (!dtype_seen_) Fail("has no dtype");
  if (!shape_seen_) Fail("has no shape");
  if (!offsets_seen_) Fail("has no data_offsets");
  SafetensorsTensor tensor;
  tensor.type = FindFileType(dtype_);
  if (!tensor.type) Fail("dtype '", Printable(dtype_, 40), "' is none of the format's types");
  tensor.info.dtype = tensor.type->reads_as.value_or(DType::kU8);
  std::vector<int64_t> dims;
  for (uint64_t size : shape_) {
    if (!std::in_range<int64_t>(size)) Fail("size ", size, " in shape is too large");
    dims.push_back(int64_t(size));
  }
  tensor.info.shape = Shape(std::move(dims));
  const int64_t bits = tensor.type->bits;
  if (!FillsWholeBytes(tensor.info.shape, bits)) {
    Fail(dtype_, " ", tensor.info.shape, " is no whole number of bytes");
  }
  const std::optional<uint64_t> bytes = CheckedBytes(tensor.info.shape, bits);
  if (!bytes) Fail("shape ", tensor.info.shape, " overflows");
  const uint64_t begin = offsets_[0], end = offsets_[1];
  if (begin > end) Fail("data_offsets end at ", end, " before they begin at ", begin);
  if (end > data_bytes_) Fail("data_offsets end at ", end, ", the file's data at ", data_bytes_);
  if (end - begin != *bytes) {
    Fail("data_offsets hold ", end - begin, " bytes, ", dtype_, " ", tensor.info.shape, " needs ", *bytes);
  }
  tensor.begin = begin;
  tensor.bytes = *bytes;
  header_.tensors.emplace(name_, std::move(tensor));
}

// The tensors tile the data: no hole that could hide something, no overlap, nothing left over.
SafetensorsHeader HeaderBuilder::Finish() {
  using Entry = std::map<std::string, SafetensorsTensor>::value_type;
  std::vector<const Entry*> order;
  order.reserve(header_.tensors.size());
  for (const Entry& entry : header_.tensors) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) {
    return std::pair(a->second.begin, a->second.bytes) < std::pair(b->second.begin, b->second.bytes);
  });
  uint64_t at = 0;
  for (const Entry* entry : order) {
    const uint64_t begin = entry->second.begin;
    const char* fault = begin < at ? "overlaps another" : begin > at ? "leaves a hole before it" : nullptr;
    if (fault) {
      ThrowBadInput(file_, "tensor '", Printable(entry->first), "' ", fault, ": begins at ", begin,
                    ", expected ", at);
    }
    at = begin + entry->second.bytes;
  }
  if (at != data_bytes_) {
    ThrowBadInput(file_, "the file holds ", data_bytes_, " bytes of data, its tensors cover ", at);
  }
  header_.data_begin = kLengthBytes + text_.size();
  for (auto& [name, tensor] : header_.tensors) tensor.begin += header_.data_begin;
  return std::move(header_);
}

}  // namespace

SafetensorsHeader ParseSafetensorsHeader(std::span<const uint8_t> file_prefix, uint64_t file_size,
                                         const std::string& file) {
  static_assert(std::endian::native == std::endian::little, "the format stores little endian");
  const std::string_view beginning(reinterpret_cast<const char*>(file_prefix.data()),
                                   std::min<size_t>(file_prefix.size(), 1024));
  if (const auto foreign = ForeignFile(beginning.substr(0, kLengthBytes));
      file_size < kLengthBytes && foreign)
    ThrowBadInput(file, "is no safetensors file but ", *foreign);
  if (file_size < kLengthBytes) {
    ThrowBadInput(file, "is no safetensors file: ", file_size, " bytes, the header's length alone takes 8");
  }
  MVD_CHECK_GE(file_prefix.size(), kLengthBytes);
  uint64_t length = 0;
  std::memcpy(&length, file_prefix.data(), sizeof(length));
  if (length > kMaxSafetensorsHeader || !beginning.substr(kLengthBytes).starts_with('{')) {
    if (const auto foreign = ForeignWeights(beginning)) {
      ThrowBadInput(file, "is no safetensors file but ", *foreign);
    }
  }
  if (length > kMaxSafetensorsHeader) {
    ThrowBadInput(file, "is no safetensors file: header of ", length, " bytes, at most ",
                  kMaxSafetensorsHeader);
  }
  if (length > file_size - kLengthBytes) {
    ThrowBadInput(file, "is cut short: header of ", length, " bytes, the file has ", file_size);
  }
  MVD_CHECK_GE(file_prefix.size(), kLengthBytes + length);
  const std::string_view text(reinterpret_cast<const char*>(file_prefix.data()) + kLengthBytes,
                              size_t(length));
  if (!text.starts_with('{'))
    ThrowBadInput(file, "is no safetensors file: the header does not begin with '{'");
  // The parser takes NUL for the end of the text, so that anything could follow it unseen.
  if (const size_t nul = text.find('\0'); nul != text.npos) {
    ThrowBadInput(file, "header byte ", nul, ": NUL in the header");
  }
  const char* seen = text.data();
  HeaderBuilder builder(file, text, &seen, file_size - kLengthBytes - length);
  nlohmann::json::sax_parse(TrackedChar{text.data(), &seen}, TrackedChar{text.data() + text.size(), &seen},
                            &builder);
  return builder.Finish();
}

}  // namespace mvd
