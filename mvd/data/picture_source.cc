#include "mvd/data/picture_source.h"

#include <cmath>

#include "mvd/base/error.h"
#include "mvd/data/series.h"
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

class PictureSource : public ClipSource {
 public:
  explicit PictureSource(PictureOptions options)
      : options_(std::move(options)), series_("pictures", options_.seed, options_.rank, options_.ranks) {
    if (options_.photos.empty()) ThrowUsage("pictures: found no photo, expected at least one");
    drawn_.seed = options_.seed;
    drawn_.frames = 2, drawn_.height = options_.height, drawn_.width = options_.width;
    drawn_.rank = options_.rank, drawn_.ranks = options_.ranks;
    MakeSynthSource(drawn_);  // checks ranks and sizes
    for (const SynthPhoto& photo : options_.photos) CheckPhoto(photo);
  }

  TrainingClip Next() override {
    TrainingClip clip = Render(series_.next());
    clip.name = StrCat("pictures:", options_.seed, ":", series_.next());
    series_.Advance();
    return clip;
  }
  std::string Position() const override { return series_.Position(); }
  void Seek(const std::string& position) override { series_.Seek(position); }

 private:
  TrainingClip Render(uint64_t index) const {
    Stream random(options_.seed ^ kPictureStream, index);
    if (random.Chance(kDrawn)) {
      TrainingClip clip = RenderSynthClip(drawn_, index).clip;
      clip.frames = 1;
      clip.pixels.resize(size_t(options_.height * options_.width * 3));
      return clip;
    }
    const SynthPhoto& photo = options_.photos[size_t(random.Int(int(options_.photos.size())))];
    Crop crop;
    crop.share = random.LogRange(SmallestShare(photo, options_.height, options_.width), 1);
    crop.place_x = random.Uniform(), crop.place_y = random.Uniform();
    crop.mirror = random.Chance(0.5f);
    crop.box = random.Range(0.6f, 1);
    return Picture(photo, options_.height, options_.width, crop);
  }

  PictureOptions options_;
  SynthOptions drawn_;  // without photos
  Series series_;
};

}  // namespace

std::unique_ptr<ClipSource> MakePictureSource(PictureOptions options) {
  return std::make_unique<PictureSource>(std::move(options));
}

TrainingClip MiddleOfPhoto(const SynthPhoto& photo, int64_t height, int64_t width) {
  TrainingClip clip = Picture(photo, height, width, {});
  clip.name = "photo";
  return clip;
}

}  // namespace mvd
