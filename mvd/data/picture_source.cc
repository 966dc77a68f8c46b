#include "mvd/data/picture_source.h"

#include <cmath>

#include "mvd/base/error.h"
#include "mvd/data/series_source.h"
#include "mvd/data/synth_texture.h"

namespace mvd {
namespace {

using synth::Crop;
using synth::Stream;
using synth::Texture;

constexpr float kDrawn = 0.25f;        // share of drawn scenes
constexpr float kSmallestPart = 0.3f;  // of what fits into a photograph
constexpr double kEnlarged = 0.75;     // photograph pixels a pixel, at least: blur teaches nothing
constexpr uint64_t kPictureStream = 0x7069637475726573;

TrainingClip Picture(const SynthPhoto& photo, int64_t height, int64_t width, const Crop& crop) {
  const Texture texture =
      synth::FromPicture(photo.rgb.data(), photo.width, photo.height, int(width), int(height), crop);
  TrainingClip clip;
  clip.frames = 1, clip.height = height, clip.width = width;
  clip.pixels.reserve(size_t(height * width * 3));
  for (const synth::Texel& texel : texture.texels) {
    for (int c = 0; c < 3; ++c)
      clip.pixels.push_back(uint8_t(std::sqrt(synth::Clamp01(texel.v[c])) * 255 + 0.5f));
  }
  return clip;
}

// The share of what fits at which a photograph's pixels are about as large as the picture's.
float SmallestShare(const SynthPhoto& photo, int64_t height, int64_t width) {
  const double fits = std::min(double(photo.width) / double(width), double(photo.height) / double(height));
  return float(std::min(std::max(double(kSmallestPart), kEnlarged / fits), 1.0));
}

// What a source of pictures renders from.
struct Pictures {
  explicit Pictures(PictureOptions o) : options(std::move(o)) {
    if (options.photos.empty()) ThrowUsage("pictures: found no photo, expected at least one");
    drawn.seed = options.seed;
    drawn.frames = 2, drawn.height = options.height, drawn.width = options.width;
    drawn.rank = options.rank, drawn.ranks = options.ranks;
    MakeSynthSource(drawn);  // checks ranks and sizes
    for (const SynthPhoto& photo : options.photos) CheckPhoto(photo);
  }

  TrainingClip Render(uint64_t index) const {
    Stream random(options.seed ^ kPictureStream, index);
    if (random.Chance(kDrawn)) {
      TrainingClip clip = RenderSynthClip(drawn, index).clip;
      clip.frames = 1;
      clip.pixels.resize(size_t(options.height * options.width * 3));
      return clip;
    }
    const SynthPhoto& photo = options.photos[size_t(random.Int(int(options.photos.size())))];
    Crop crop;
    crop.share = random.LogRange(SmallestShare(photo, options.height, options.width), 1);
    crop.place_x = random.Uniform(), crop.place_y = random.Uniform();
    crop.mirror = random.Chance(0.5f);
    crop.box = random.Range(0.6f, 1);
    return Picture(photo, options.height, options.width, crop);
  }

  PictureOptions options;
  SynthOptions drawn;  // without photos
};

}  // namespace

std::unique_ptr<ClipSource> MakePictureSource(PictureOptions options) {
  const auto pictures = std::make_shared<const Pictures>(std::move(options));
  const PictureOptions& o = pictures->options;
  return MakeSeriesSource(
      Series("pictures", o.seed, o.rank, o.ranks),
      [pictures](uint64_t n) {
        TrainingClip clip = pictures->Render(n);
        clip.name = StrCat("pictures:", pictures->options.seed, ":", n);
        return clip;
      },
      o.ahead);
}

TrainingClip MiddleOfPhoto(const SynthPhoto& photo, int64_t height, int64_t width) {
  TrainingClip clip = Picture(photo, height, width, {});
  clip.name = "photo";
  return clip;
}

}  // namespace mvd
