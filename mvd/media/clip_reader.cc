#include "mvd/media/clip_reader.h"

#include <algorithm>
#include <optional>

#include "mvd/base/error.h"
#include "mvd/base/paths.h"
#include "mvd/media/clip_files.h"
#include "mvd/media/shown_video.h"

namespace mvd {
namespace {

constexpr double kUnknownRate = 25;  // spaces frames whose file tells neither times nor a rate

bool IsWebp(const std::filesystem::path& path) {
  const std::string head = ReadHead(path, kFormatBytes);
  return ImageFormatOf({reinterpret_cast<const uint8_t*>(head.data()), head.size()}) == "webp";
}

}  // namespace

struct ClipReader::State {
  std::string name;
  double fps = 0;
  bool fixed_rate = false;
  std::optional<ShownVideo> video;  // else `whole`
  Clip whole;
  int64_t count = 0;
  int width = 0, height = 0;
  std::optional<double> origin;  // the first frame's time in the file
  double last = 0;
};

ClipReader::ClipReader(const std::filesystem::path& path, double fps) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.name = path.string();
  if (!PathExists(path)) ThrowNotFound(s.name);
  if (!IsRegularFile(path)) ThrowBadInput(s.name, "is not a regular file");
  if (ReadHead(path, 1).empty()) ThrowBadInput(s.name, "is empty or cannot be read");
  if (IsWebp(path)) {
    s.whole = ReadClip(path);
    s.fps = s.whole.fps;
  } else {
    s.video.emplace(path);
    s.fps = s.video->fps();
  }
  s.fixed_rate = fps > 0 || !s.video;
  if (fps > 0) s.fps = fps;
}

ClipReader::~ClipReader() = default;

double ClipReader::fps() const { return state_->fps; }

bool ClipReader::Next(TimedFrame& frame) {
  State& s = *state_;
  const double rate = s.fps > 0 ? s.fps : kUnknownRate;
  frame.seconds = double(s.count) / rate;
  if (!s.video) {
    if (s.count >= int64_t(s.whole.frames.size())) return false;
    frame.image = std::move(s.whole.frames[size_t(s.count)]);
  } else {
    std::optional<double> at;
    if (!s.video->Next(frame.image, at)) return false;
    if (!s.fixed_rate && at) {
      if (!s.origin) s.origin = at;
      frame.seconds = *at - *s.origin;
    }
  }
  if (s.count == 0) {
    s.width = frame.image.width;
    s.height = frame.image.height;
  }
  if (frame.image.width != s.width || frame.image.height != s.height) {
    ThrowBadInput(s.name, "frame ", s.count, " has ", frame.image.width, "x", frame.image.height,
                  " pixels, the first has ", s.width, "x", s.height);
  }
  frame.seconds = s.last = std::max(s.last, frame.seconds);
  ++s.count;
  return true;
}

}  // namespace mvd
