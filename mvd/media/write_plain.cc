// The clip formats that need no library: PNG sequence, y4m, and nothing for timing.
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <numeric>

#include "mvd/base/error.h"
#include "mvd/media/clip_files.h"

namespace mvd {
namespace {

// One plane of BT.601 in studio range: offset + (red, green, blue) of 255 times these weights. They are in
// units of 2^-16, and sum to 219/255 for Y', to nothing for Cb and Cr, so that grey stays grey exactly.
struct Plane {
  int red, green, blue, offset;
};
constexpr Plane kPlanes[] = {
    {16829, 33039, 6416, 16},     // Y'
    {-9714, -19070, 28784, 128},  // Cb
    {28784, -24103, -4681, 128},  // Cr
};

char Value(const Plane& plane, const uint8_t* rgb) {
  const int sum = plane.red * rgb[0] + plane.green * rgb[1] + plane.blue * rgb[2];
  return char(plane.offset + ((sum + (1 << 15)) >> 16));
}

// Frames a second as a fraction, to 1e-5.
std::string Rate(double fps) {
  constexpr int64_t kUnit = 100'000;
  const int64_t count = std::llround(fps * kUnit);
  const int64_t divisor = std::gcd(count, kUnit);
  return StrCat(count / divisor, ":", kUnit / divisor);
}

}  // namespace

std::string FrameName(size_t i) {
  char text[32];
  std::snprintf(text, sizeof text, "%06zu", i);
  return text;
}

void WriteBytes(const Path& file, std::string_view bytes, const std::string& name) {
  std::ofstream out(file, std::ios::binary);
  out.write(bytes.data(), std::streamsize(bytes.size()));
  out.flush();
  if (!out) ThrowBadInput(name, "cannot be written: ", std::strerror(errno));
}

// A folder of 000000.png, 000001.png, ...; the first carries the recipe.
void WritePngSequence(const Clip& clip, const std::string& recipe, const Path& file,
                      const std::string& name) {
  std::error_code code;
  std::filesystem::create_directory(file, code);
  if (code) ThrowBadInput(name, "cannot be written: ", code.message());
  for (size_t i = 0; i < clip.frames.size(); ++i) {
    TextMap text;
    if (i == 0 && !recipe.empty()) text[kRecipeKey] = recipe;
    WriteBytes(file / (FrameName(i) + ".png"), EncodePng(clip.frames[i], text), name);
  }
}

// 4:4:4, so that no colour is lost; BT.601 in studio range, which readers take where nothing says otherwise,
// and y4m has no tag to say so.
void WriteY4m(const Clip& clip, const std::string&, const Path& file, const std::string& name) {
  std::ofstream out(file, std::ios::binary);
  out << "YUV4MPEG2 W" << clip.width << " H" << clip.height << " F" << Rate(clip.fps) << " Ip A1:1 C444\n";
  std::string values(size_t(clip.width) * size_t(clip.height), '\0');
  for (const Image& image : clip.frames) {
    out << "FRAME\n";
    for (const Plane& plane : kPlanes) {
      for (size_t i = 0; i < values.size(); ++i) values[i] = Value(plane, &image.rgb[i * 3]);
      out.write(values.data(), std::streamsize(values.size()));
    }
  }
  out.flush();
  if (!out) ThrowBadInput(name, "cannot be written: ", std::strerror(errno));
}

void WriteNothing(const Clip&, const std::string&, const Path&, const std::string&) {}

}  // namespace mvd
