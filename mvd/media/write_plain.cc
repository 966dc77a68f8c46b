// The clip formats that need no library: PNG sequence, y4m, and nothing for timing.
#include <cmath>
#include <cstdio>
#include <numeric>

#include "mvd/base/error.h"
#include "mvd/base/output_file.h"
#include "mvd/base/paths.h"
#include "mvd/media/clip_files.h"

namespace mvd {
namespace {

// PNG's keyword for the program that made a picture: by it we know our own frames.
constexpr char kSoftwareKey[] = "Software";
constexpr char kSoftware[] = "mobilevd";

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
  OutputFile out(file, name);
  out.Write(bytes);
  out.Close();
}

// A folder, which is there already, of 000000.png, 000001.png, ...; the first carries the recipe.
void WritePngSequence(const Clip& clip, const std::string& recipe, const Path& file,
                      const std::string& name) {
  for (size_t i = 0; i < clip.frames.size(); ++i) {
    TextMap text = {{kSoftwareKey, kSoftware}};
    if (i == 0 && !recipe.empty()) text[kRecipeKey] = recipe;
    WriteBytes(file / (FrameName(i) + ".png"), EncodePng(clip.frames[i], text), name);
  }
}

std::string ForeignToPngSequence(const Path& folder) {
  // The text chunk's content, which is near the file's beginning: keys are written in order.
  const std::string mark = std::string(kSoftwareKey) + '\0' + kSoftware;
  size_t number = 0;
  for (const Path& entry : ListFolder(folder)) {
    const std::string name = entry.filename().string();
    std::error_code code;
    const bool file = std::filesystem::is_regular_file(std::filesystem::symlink_status(entry, code));
    if (!file || name != FrameName(number++) + ".png" || ReadHead(entry, 256).find(mark) == mark.npos)
      return name;
  }
  return "";
}

// 4:4:4, so that no colour is lost; BT.601 in studio range, which readers take where nothing says otherwise,
// and y4m has no tag to say so.
void WriteY4m(const Clip& clip, const std::string&, const Path& file, const std::string& name) {
  OutputFile out(file, name);
  out.Write(StrCat("YUV4MPEG2 W", clip.width, " H", clip.height, " F", Rate(clip.fps), " Ip A1:1 C444\n"));
  std::string values(size_t(clip.width) * size_t(clip.height), '\0');
  for (const Image& image : clip.frames) {
    out.Write("FRAME\n");
    for (const Plane& plane : kPlanes) {
      for (size_t i = 0; i < values.size(); ++i) values[i] = Value(plane, &image.rgb[i * 3]);
      out.Write(values);
    }
  }
  out.Close();
}

void WriteNothing(const Clip&, const std::string&, const Path&, const std::string&) {}

}  // namespace mvd
