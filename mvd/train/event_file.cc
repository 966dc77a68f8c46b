#include "mvd/train/event_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>
#include <cstring>

#include "mvd/base/error.h"
#include "mvd/base/file_error.h"
#include "mvd/base/output_file.h"
#include "mvd/base/paths.h"

namespace mvd {
namespace {

static_assert(std::endian::native == std::endian::little, "records are written as they lie in memory");

constexpr std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
    table[i] = crc;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = MakeCrcTable();

template <class T>
std::string Raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

// Protocol buffers' wire format: a key is field << 3 | wire type.
std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += char(value | 0x80);
  return bytes + char(value);
}
std::string IntField(int field, int64_t value) {
  return Varint(uint64_t(field) << 3) + Varint(uint64_t(value));
}
std::string DoubleField(int field, double value) { return Varint(uint64_t(field) << 3 | 1) + Raw(value); }
std::string FloatField(int field, float value) { return Varint(uint64_t(field) << 3 | 5) + Raw(value); }
std::string BytesField(int field, std::string_view bytes) {
  return Varint(uint64_t(field) << 3 | 2) + Varint(bytes.size()) + std::string(bytes);
}

// Event: wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7.
std::string Event(double wall_time, int64_t step, int field, std::string_view content) {
  return DoubleField(1, wall_time) + IntField(2, step) + BytesField(field, content);
}

double Now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

uint32_t Crc32c(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (char byte : bytes) crc = crc >> 8 ^ kCrcTable[(crc ^ uint8_t(byte)) & 0xff];
  return ~crc;
}

uint32_t MaskedCrc32c(std::string_view bytes) {
  // Rotated and shifted so that a CRC of data that holds CRCs stays a good one (TFRecord's definition).
  return std::rotr(Crc32c(bytes), 15) + 0xa282ead8u;
}

std::string TfRecord(std::string_view payload) {
  const std::string length = Raw(uint64_t(payload.size()));
  return length + Raw(MaskedCrc32c(length)) + std::string(payload) + Raw(MaskedCrc32c(payload));
}

std::string VersionEvent(double wall_time) {
  return DoubleField(1, wall_time) + BytesField(3, "brain.Event:2");
}

std::string ScalarsEvent(double wall_time, int64_t step, const std::map<std::string, double>& values) {
  // Summary: repeated value = 1; Value: tag = 1, simple_value = 2.
  std::string summary;
  for (const auto& [tag, value] : values) {
    summary += BytesField(1, BytesField(1, tag) + FloatField(2, float(value)));
  }
  return Event(wall_time, step, 5, summary);
}

std::string ImageEvent(double wall_time, int64_t step, const std::string& tag, int64_t height, int64_t width,
                       std::string_view png) {
  // Value: image = 4; Image: height = 1, width = 2, colorspace = 3 (3 is RGB), encoded_image_string = 4.
  const std::string image = IntField(1, height) + IntField(2, width) + IntField(3, 3) + BytesField(4, png);
  return Event(wall_time, step, 5, BytesField(1, BytesField(1, tag) + BytesField(4, image)));
}

std::string SessionStartEvent(double wall_time, int64_t step) {
  return Event(wall_time, step, 7, IntField(1, 1));  // SessionLog: status = 1; START is 1
}

EventFile::EventFile(const std::filesystem::path& folder, int64_t resume_step) {
  MakeFolders(folder);
  char host[256] = "host";
  ::gethostname(host, sizeof(host) - 1);
  const double now = Now();
  // TensorBoard reads the files of a folder in the order of their names; two starts may share a second.
  for (int attempt = 0; attempt < 1000 && descriptor_ < 0; ++attempt) {
    path_ = folder / StrCat("events.out.tfevents.", int64_t(now), ".", host, ".", ::getpid(), ".", attempt);
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST) break;
  }
  if (descriptor_ < 0) ThrowUnwritable(path_.string(), errno);
  Append(VersionEvent(now));
  if (resume_step > 0) Append(SessionStartEvent(now, resume_step + 1));
}

EventFile::~EventFile() { ::close(descriptor_); }

void EventFile::Append(std::string_view event) {
  OutputFile out(descriptor_, path_.string());
  out.Write(TfRecord(event));
  out.Close();
}

void EventFile::Scalars(int64_t step, const std::map<std::string, double>& values) {
  Append(ScalarsEvent(Now(), step, values));
}

void EventFile::Image(int64_t step, const std::string& tag, int64_t height, int64_t width,
                      std::string_view png) {
  Append(ImageEvent(Now(), step, tag, height, width, png));
}

}  // namespace mvd
