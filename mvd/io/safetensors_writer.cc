#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "mvd/base/file_error.h"
#include "mvd/base/output_file.h"
#include "mvd/io/json.h"
#include "mvd/io/safetensors.h"

namespace mvd {
namespace {

using InfoMap = std::map<std::string, TensorInfo>;

std::string Quoted(const std::string& text, const std::string& target) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    ThrowBadInput(target, "cannot be written: '", Printable(text), "' is not UTF-8");
  }
}

// The file's first bytes: the header's length and the header.
struct Layout {
  std::string prefix;
  uint64_t file_size = 0;
};

Layout LayOut(const InfoMap& tensors, const std::map<std::string, std::string>& metadata,
              const std::string& target) {
  std::string header = "{";
  const auto comma = [&header] {
    if (header.size() > 1) header += ",";
  };
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      if (header.back() != '{') header += ",";
      header += Quoted(key, target) + ":" + Quoted(value, target);
    }
    header += "}";
  }
  std::vector<const InfoMap::value_type*> order;
  for (const auto& entry : tensors) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return SizeOf(a->second.dtype) > SizeOf(b->second.dtype);
  });
  uint64_t at = 0;
  for (const auto* entry : order) {
    const auto& [name, info] = *entry;
    const std::optional<uint64_t> bytes = CheckedBytes(info.shape, FileTypeOf(info.dtype).bits);
    if (!bytes || *bytes > uint64_t(INT64_MAX) - at) {
      ThrowBadInput(target, "cannot be written: shape ", info.shape, " of '", Printable(name), "' overflows");
    }
    comma();
    header += Quoted(name, target) + ":{\"dtype\":\"" + std::string(FileTypeOf(info.dtype).name) +
              "\",\"shape\":" + nlohmann::json(info.shape.dims()).dump() +
              ",\"data_offsets\":" + nlohmann::json{at, at + *bytes}.dump() + "}";
    at += *bytes;
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  Layout layout;
  const uint64_t length = header.size();
  layout.prefix.assign(reinterpret_cast<const char*>(&length), sizeof(length));
  layout.prefix += header;
  layout.file_size = layout.prefix.size() + at;
  return layout;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& target, const InfoMap& tensors,
                                     const std::map<std::string, std::string>& metadata, Replace replace)
    : target_(target.string()), file_(target, replace) {
  Layout layout = LayOut(tensors, metadata, target_);
  // Our own reader is the judge of what may be written: names, ranks, counts.
  const std::span prefix(reinterpret_cast<const uint8_t*>(layout.prefix.data()), layout.prefix.size());
  header_ = ParseSafetensorsHeader(prefix, layout.file_size, target_);
  prefix_ = std::move(layout.prefix);
  descriptor_ = ::open(file_.temporary().c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor_ < 0) ThrowUnwritable(target_, errno);
}

SafetensorsWriter::~SafetensorsWriter() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void SafetensorsWriter::Write(const std::string& name, const TensorView& tensor) {
  const auto found = header_.tensors.find(name);
  MVD_CHECK(found != header_.tensors.end(), "tensor '", name, "' was not declared");
  const TensorInfo& info = found->second.info;
  MVD_CHECK(tensor.dtype == info.dtype && tensor.shape == info.shape, "tensor '", name, "' is ",
            Name(tensor.dtype), " ", tensor.shape, ", declared as ", Name(info.dtype), " ", info.shape);
  MVD_CHECK(written_.insert(name).second, "tensor '", name, "' was written twice");
  const std::string_view bytes(static_cast<const char*>(tensor.data), size_t(found->second.bytes));
  WriteAt(descriptor_, found->second.begin, bytes, target_);
}

void SafetensorsWriter::Commit() {
  MVD_CHECK_EQ(written_.size(), header_.tensors.size());
  // Last, so that what is cut short by a crash never looks like a file.
  WriteAt(descriptor_, 0, prefix_, target_);
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) ThrowUnwritable(target_, errno);
  file_.Commit();
}

void WriteSafetensors(const std::filesystem::path& path, const std::map<std::string, TensorView>& tensors,
                      const std::map<std::string, std::string>& metadata, Replace replace) {
  InfoMap infos;
  for (const auto& [name, view] : tensors) infos[name] = {view.dtype, view.shape};
  SafetensorsWriter writer(path, infos, metadata, replace);
  for (const auto& [name, view] : tensors) writer.Write(name, view);
  writer.Commit();
}

}  // namespace mvd
