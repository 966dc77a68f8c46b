// Clips as animated WebP in and out, by libwebp's mux and demux; the recipe in an XMP packet.
#include <webp/demux.h>
#include <webp/encode.h>
#include <webp/mux.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "mvd/base/error.h"
#include "mvd/media/codecs.h"

namespace mvd {
namespace {

using namespace std::string_view_literals;

constexpr float kQuality = 92;  // the tenth of the size of lossless, no visible loss
constexpr int kMethod = 4;      // libwebp's default balance of time and size
constexpr auto kXmpHead =
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF "
    "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">"
    "<rdf:Description rdf:about=\"\" xmlns:mobilevd=\"urn:mobilevd:recipe:1\"><mobilevd:recipe>"sv;
constexpr auto kXmpTail = "</mobilevd:recipe></rdf:Description></rdf:RDF></x:xmpmeta>"sv;
constexpr auto kOpenTag = "<mobilevd:recipe>"sv;
constexpr auto kCloseTag = "</mobilevd:recipe>"sv;
constexpr std::pair<char, std::string_view> kEscapes[] = {{'&', "&amp;"sv}, {'<', "&lt;"sv}, {'>', "&gt;"sv}};

std::string EscapeXml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto* found = std::ranges::find(kEscapes, c, &std::pair<char, std::string_view>::first);
    if (found == std::end(kEscapes)) {
      out += c;
    } else {
      out += found->second;
    }
  }
  return out;
}

std::string UnescapeXml(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    size_t length = 1;
    char c = text.front();
    for (const auto& [plain, escaped] : kEscapes) {
      if (!text.starts_with(escaped)) continue;
      c = plain;
      length = escaped.size();
    }
    out += c;
    text.remove_prefix(length);
  }
  return out;
}

WebPData AsData(std::string_view bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

struct OwnedData {
  WebPData data{};
  OwnedData() { WebPDataInit(&data); }
  ~OwnedData() { WebPDataClear(&data); }
  OwnedData(const OwnedData&) = delete;
  OwnedData& operator=(const OwnedData&) = delete;
  std::string_view view() const { return {reinterpret_cast<const char*>(data.bytes), data.size}; }
};

struct OwnedPicture {
  WebPPicture picture;
  OwnedPicture() { MVD_CHECK(WebPPictureInit(&picture)); }
  ~OwnedPicture() { WebPPictureFree(&picture); }
  OwnedPicture(const OwnedPicture&) = delete;
  OwnedPicture& operator=(const OwnedPicture&) = delete;
};

using EncoderPtr = std::unique_ptr<WebPAnimEncoder, void (*)(WebPAnimEncoder*)>;
using DecoderPtr = std::unique_ptr<WebPAnimDecoder, void (*)(WebPAnimDecoder*)>;
using DemuxerPtr = std::unique_ptr<WebPDemuxer, void (*)(WebPDemuxer*)>;
using MuxPtr = std::unique_ptr<WebPMux, void (*)(WebPMux*)>;

// Frame i is shown from this time on, in WebP's milliseconds.
int Milliseconds(size_t i, double fps) { return int(std::llround(double(i) * 1000 / fps)); }

void AddFrame(WebPAnimEncoder* encoder, const Image& image, int milliseconds, const std::string& name) {
  WebPConfig config;
  MVD_CHECK(WebPConfigInit(&config));
  config.quality = kQuality;
  config.method = kMethod;
  OwnedPicture owned;
  owned.picture.use_argb = 1;
  owned.picture.width = image.width;
  owned.picture.height = image.height;
  if (!WebPPictureImportRGB(&owned.picture, image.rgb.data(), image.width * 3)) throw std::bad_alloc();
  if (!WebPAnimEncoderAdd(encoder, &owned.picture, milliseconds, &config))
    ThrowBadInput(name, "cannot be encoded: ", WebPAnimEncoderGetError(encoder));
}

WebPBitstreamFeatures Features(std::string_view bytes, const std::string& name) {
  WebPBitstreamFeatures features{};
  const WebPData data = AsData(bytes);
  if (WebPGetFeatures(data.bytes, data.size, &features) != VP8_STATUS_OK)
    ThrowBadInput(name, "damaged WebP file: its header is invalid");
  return features;
}

}  // namespace

void WriteAnimatedWebp(const Clip& clip, const std::string& recipe, const Path& file,
                       const std::string& name) {
  if (clip.width > WEBP_MAX_DIMENSION || clip.height > WEBP_MAX_DIMENSION) {
    ThrowBadInput(name, "WebP takes at most ", WEBP_MAX_DIMENSION, " pixels a side, the clip has ",
                  clip.width, "x", clip.height);
  }
  WebPAnimEncoderOptions options;
  MVD_CHECK(WebPAnimEncoderOptionsInit(&options));
  const EncoderPtr encoder(WebPAnimEncoderNew(clip.width, clip.height, &options), WebPAnimEncoderDelete);
  if (!encoder) throw std::bad_alloc();
  for (size_t i = 0; i < clip.frames.size(); ++i)
    AddFrame(encoder.get(), clip.frames[i], Milliseconds(i, clip.fps), name);
  // A call without a frame ends the last one.
  const int end = Milliseconds(clip.frames.size(), clip.fps);
  OwnedData encoded;
  if (!WebPAnimEncoderAdd(encoder.get(), nullptr, end, nullptr) ||
      !WebPAnimEncoderAssemble(encoder.get(), &encoded.data)) {
    ThrowBadInput(name, "cannot be encoded: ", WebPAnimEncoderGetError(encoder.get()));
  }
  if (recipe.empty()) return WriteBytes(file, encoded.view(), name);
  const std::string xmp = std::string(kXmpHead) + EscapeXml(recipe) + std::string(kXmpTail);
  const WebPData packet = AsData(xmp);
  const MuxPtr mux(WebPMuxCreate(&encoded.data, 0), WebPMuxDelete);
  OwnedData whole;
  if (!mux || WebPMuxSetChunk(mux.get(), "XMP ", &packet, 0) != WEBP_MUX_OK ||
      WebPMuxAssemble(mux.get(), &whole.data) != WEBP_MUX_OK) {
    throw std::bad_alloc();
  }
  WriteBytes(file, whole.view(), name);
}

std::optional<std::string> XmpRecipe(std::string_view xmp) {
  const size_t begin = xmp.find(kOpenTag);
  const size_t end = xmp.find(kCloseTag);
  if (begin == xmp.npos || end == xmp.npos || end < begin) return std::nullopt;
  return UnescapeXml(xmp.substr(begin + kOpenTag.size(), end - begin - kOpenTag.size()));
}

Clip ReadWebpClip(std::string_view bytes, int64_t max_frames, const std::string& name) {
  // The canvas is allocated whole by the decoder: its size is checked first.
  const WebPBitstreamFeatures features = Features(bytes, name);
  const Image canvas = AllocateImage(uint64_t(features.width), uint64_t(features.height), name);
  WebPAnimDecoderOptions options;
  MVD_CHECK(WebPAnimDecoderOptionsInit(&options));
  options.color_mode = MODE_RGBA;
  const WebPData data = AsData(bytes);
  const DecoderPtr decoder(WebPAnimDecoderNew(&data, &options), WebPAnimDecoderDelete);
  WebPAnimInfo info{};
  if (!decoder || !WebPAnimDecoderGetInfo(decoder.get(), &info) ||
      int64_t(info.canvas_width) * info.canvas_height != int64_t(canvas.width) * canvas.height) {
    ThrowBadInput(name, "damaged WebP file");
  }
  Clip clip;
  int milliseconds = 0;
  while (WebPAnimDecoderHasMoreFrames(decoder.get()) &&
         (max_frames == 0 || int64_t(clip.frames.size()) < max_frames)) {
    uint8_t* rgba = nullptr;
    if (!WebPAnimDecoderGetNext(decoder.get(), &rgba, &milliseconds))
      ThrowBadInput(name, "damaged WebP file: frame ", clip.frames.size(), " cannot be decoded");
    Image frame = canvas;
    for (size_t i = 0; i < frame.rgb.size() / 3; ++i) std::copy_n(rgba + i * 4, 3, &frame.rgb[i * 3]);
    AppendFrame(clip, std::move(frame), name);
  }
  if (milliseconds > 0) clip.fps = double(clip.frames.size()) * 1000 / milliseconds;
  return clip;
}

ClipInfo ProbeWebp(std::string_view bytes, const std::string& name) {
  const WebPBitstreamFeatures features = Features(bytes, name);
  const WebPData data = AsData(bytes);
  const DemuxerPtr demuxer(WebPDemux(&data), WebPDemuxDelete);
  if (!demuxer) ThrowBadInput(name, "damaged WebP file");
  ClipInfo info{"webp", features.format == 2 ? "webp-lossless" : "webp", "", features.width, features.height};
  WebPIterator frame{};
  int64_t milliseconds = 0;
  if (WebPDemuxGetFrame(demuxer.get(), 1, &frame)) {
    do {
      ++info.frames;
      milliseconds += frame.duration;
    } while (WebPDemuxNextFrame(&frame));
  }
  WebPDemuxReleaseIterator(&frame);
  info.seconds = double(milliseconds) / 1000;
  if (milliseconds > 0) info.fps = double(info.frames) / info.seconds;
  return info;
}

}  // namespace mvd
