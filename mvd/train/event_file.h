// TensorBoard's event files: hand-encoded Event messages in TFRecord frames with masked CRC-32C. The fields
// are those of tensorflow/core/util/event.proto and summary.proto.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace mvd {

uint32_t Crc32c(std::string_view bytes);        // Castagnoli; "123456789" gives 0xe3069283
uint32_t MaskedCrc32c(std::string_view bytes);  // as TFRecord stores it
std::string TfRecord(std::string_view payload);

// Encoded Event messages.
std::string VersionEvent(double wall_time);  // "brain.Event:2", the first record of a file
std::string ScalarsEvent(double wall_time, int64_t step, const std::map<std::string, double>& values);
std::string ImageEvent(double wall_time, int64_t step, const std::string& tag, int64_t height, int64_t width,
                       std::string_view png);
// Tells TensorBoard to drop the values of earlier files from `step` on, after a resume.
std::string SessionStartEvent(double wall_time, int64_t step);

class EventFile {
 public:
  // Makes FOLDER/events.out.tfevents.<seconds>.<host>.<pid>, its version record first. Throws
  // Error(kBadInput).
  EventFile(const std::filesystem::path& folder, int64_t resume_step);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  void Scalars(int64_t step, const std::map<std::string, double>& values);
  void Image(int64_t step, const std::string& tag, int64_t height, int64_t width, std::string_view png);
  const std::filesystem::path& path() const { return path_; }

 private:
  void Append(std::string_view event);

  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace mvd
