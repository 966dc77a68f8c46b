// Still WebP pictures by libwebp, and the XMP packet of any WebP file.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "mvd/base/error.h"
#include "mvd/media/codecs.h"
#include "mvd/media/exif.h"

namespace mvd {
namespace {

// The payload of the first chunk of this four-letter name, or an empty span; it points into `bytes`.
std::span<const uint8_t> FindChunk(std::span<const uint8_t> bytes, const char* fourcc) {
  const WebPData data{bytes.data(), bytes.size()};
  const std::unique_ptr<WebPDemuxer, void (*)(WebPDemuxer*)> demuxer(WebPDemux(&data), WebPDemuxDelete);
  if (!demuxer) return {};  // metadata must not cost the picture
  WebPChunkIterator chunk{};
  std::span<const uint8_t> found;
  if (WebPDemuxGetChunk(demuxer.get(), fourcc, 1, &chunk)) found = {chunk.chunk.bytes, chunk.chunk.size};
  WebPDemuxReleaseChunkIterator(&chunk);
  return found;
}

}  // namespace

namespace {

WebPBitstreamFeatures ReadFeatures(std::span<const uint8_t> bytes, const std::string& name) {
  WebPBitstreamFeatures features{};
  const VP8StatusCode status = WebPGetFeatures(bytes.data(), bytes.size(), &features);
  if (status != VP8_STATUS_OK) {
    ThrowBadInput(name, "damaged WebP picture: ",
                  status == VP8_STATUS_NOT_ENOUGH_DATA ? "the file is truncated" : "its header is invalid");
  }
  if (features.has_animation) ThrowBadInput(name, "is an animated WebP, a still picture is expected");
  CheckImageSize(uint64_t(features.width), uint64_t(features.height), name);
  return features;
}

}  // namespace

ImagePlan PlanWebp(std::span<const uint8_t> bytes, const std::string& name, ImageSize) {
  const WebPBitstreamFeatures features = ReadFeatures(bytes, name);
  // A lossless picture is decoded as four bytes per pixel; a lossy one by rows, its alpha whole.
  constexpr int kLossless = 2;
  const int64_t each = features.format == kLossless ? 5 : 2;
  return PlanWhole(features.width, features.height, ExifOrientation(FindChunk(bytes, "EXIF")),
                   int64_t(features.width) * features.height * each + (4 << 20));
}

Image DecodeWebp(std::span<const uint8_t> bytes, const std::string& name, ImageSize) {
  const WebPBitstreamFeatures features = ReadFeatures(bytes, name);
  Image image = AllocateImage(uint64_t(features.width), uint64_t(features.height), name);
  // Fails for truncated data too, whose decoder would otherwise wait for the rest.
  if (!WebPDecodeRGBInto(bytes.data(), bytes.size(), image.rgb.data(), image.rgb.size(), image.width * 3))
    ThrowBadInput(name, "damaged WebP picture: the file is truncated or its data is invalid");
  return Orient(std::move(image), ExifOrientation(FindChunk(bytes, "EXIF")));
}

std::optional<std::string> WebpXmp(std::span<const uint8_t> bytes) {
  const std::span<const uint8_t> xmp = FindChunk(bytes, "XMP ");
  if (xmp.empty()) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(xmp.data()), xmp.size());
}

}  // namespace mvd
