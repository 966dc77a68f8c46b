#include "mvd/media/shown_video.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

#include <cmath>

#include "mvd/base/error.h"
#include "mvd/media/exif.h"

namespace mvd {
namespace {

bool IsInterlaced(const AVFrame& frame) {
#ifdef AV_FRAME_FLAG_INTERLACED
  return frame.flags & AV_FRAME_FLAG_INTERLACED;
#else
  return frame.interlaced_frame;
#endif
}

bool IsHdr(AVColorTransferCharacteristic transfer) {
  return transfer == AVCOL_TRC_SMPTE2084 || transfer == AVCOL_TRC_ARIB_STD_B67;
}

// Curves that are, or pass for, BT.709's and sRGB's.
bool IsPlain(AVColorTransferCharacteristic transfer) {
  switch (transfer) {
    case AVCOL_TRC_LINEAR:
    case AVCOL_TRC_LOG:
    case AVCOL_TRC_LOG_SQRT:
    case AVCOL_TRC_SMPTE428:
    case AVCOL_TRC_SMPTE2084:
    case AVCOL_TRC_ARIB_STD_B67:
      return false;
    default:
      return true;
  }
}

// Primaries near enough to BT.709's: the others would come out pale.
bool IsPlain(AVColorPrimaries primaries) {
  switch (primaries) {
    case AVCOL_PRI_BT2020:
    case AVCOL_PRI_SMPTE428:
    case AVCOL_PRI_SMPTE431:
    case AVCOL_PRI_SMPTE432:
    case AVCOL_PRI_FILM:
      return false;
    default:
      return true;
  }
}

// Matrices that swscale knows; it takes any other one for BT.601's.
bool IsPlain(AVColorSpace space) {
  switch (space) {
    case AVCOL_SPC_YCGCO:
    case AVCOL_SPC_BT2020_CL:
    case AVCOL_SPC_SMPTE2085:
    case AVCOL_SPC_CHROMA_DERIVED_NCL:
    case AVCOL_SPC_CHROMA_DERIVED_CL:
    case AVCOL_SPC_ICTCP:
      return false;
    default:
      return true;
  }
}

bool IsRgb(const AVFrame& frame) {
  const AVPixFmtDescriptor* format = av_pix_fmt_desc_get(AVPixelFormat(frame.format));
  return format && (format->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL));
}

constexpr char kPlainRgb[] = "zscale=p=bt709:t=bt709:m=gbr:r=full,format=gbrp";
// In units of the reference white, 203 cd/m2 (ITU-R BT.2408); 1000 cd/m2, the common mastering peak, becomes
// the brightest value. Up to 0.3 nothing changes, above it the curve bends.
constexpr char kToneMapped[] =
    "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=tonemap=mobius:param=0.3:desat=0:peak=4."
    "926,"
    "zscale=p=bt709:t=bt709:m=gbr:r=full,format=gbrp";

// zscale does nothing about what a file leaves open.
void FillIn(AVFrame& frame) {
  const bool hdr = IsHdr(frame.color_trc), rgb = IsRgb(frame);
  if (frame.color_trc == AVCOL_TRC_UNSPECIFIED) frame.color_trc = AVCOL_TRC_BT709;
  if (frame.color_primaries == AVCOL_PRI_UNSPECIFIED)
    frame.color_primaries = hdr ? AVCOL_PRI_BT2020 : AVCOL_PRI_BT709;
  if (rgb)
    frame.colorspace = AVCOL_SPC_RGB;
  else if (frame.colorspace == AVCOL_SPC_UNSPECIFIED)
    frame.colorspace = hdr ? AVCOL_SPC_BT2020_NCL : AVCOL_SPC_SMPTE170M;
  if (frame.color_range == AVCOL_RANGE_UNSPECIFIED)
    frame.color_range = rgb ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
}

}  // namespace

ShownSize SquarePixels(int width, int height, AVRational sample_aspect) {
  if (sample_aspect.num <= 0 || sample_aspect.den <= 0) return {width, height};
  const double aspect = av_q2d(sample_aspect);
  const double wide = aspect > 1 ? std::round(width * aspect) : width;
  const double high = aspect < 1 ? std::round(height / aspect) : height;
  if (wide * high > double(kMaxPixels)) return {};
  return {int(wide), int(high)};
}

ShownVideo::ShownVideo(const std::filesystem::path& path)
    : name_(path.string()),
      input_(path),
      decoded_(CheckAlloc(av_frame_alloc())),
      shown_(CheckAlloc(av_frame_alloc())) {}

ShownVideo::Work ShownVideo::WorkOf(const AVFrame& frame) const {
  Work work;
  std::string reasons;
  const auto because = [&](const std::string& reason) {
    reasons += (reasons.empty() ? "" : " and ") + reason;
  };
  work.deinterlace = interlaced_;
  if (interlaced_) because("is interlaced");
  const bool hdr = IsHdr(frame.color_trc);
  if (!IsPlain(frame.color_trc))
    because(StrCat("has the transfer curve ", av_color_transfer_name(frame.color_trc), hdr ? " (HDR)" : ""));
  if (!hdr && !IsPlain(frame.color_primaries))
    because(StrCat("has the primaries ", av_color_primaries_name(frame.color_primaries)));
  if (!IsRgb(frame) && !IsPlain(frame.colorspace))
    because(StrCat("has the colour matrix ", av_color_space_name(frame.colorspace)));
  if (hdr)
    work.colours = kToneMapped;
  else if (!IsPlain(frame.color_trc) || !IsPlain(frame.color_primaries) ||
           (!IsRgb(frame) && !IsPlain(frame.colorspace)))
    work.colours = kPlainRgb;
  work.purpose = reasons;
  return work;
}

bool ShownVideo::Decode() {
  av_frame_unref(decoded_.get());
  if (!input_.Next(*decoded_)) return false;
  AVFrame& frame = *decoded_;
  frame.pts = frame.best_effort_timestamp;
  frame.sample_aspect_ratio = input_.SampleAspect(&frame);
  // Once is for ever: bwdif passes whole frames on, and must see the frames on either side of the others.
  interlaced_ |= IsInterlaced(frame);
  return true;
}

// Hands decoded_ to a graph that fits it; where the present one does not, what it still holds comes first.
void ShownVideo::Filter() {
  const AVFrame& frame = *decoded_;
  AVRational aspect = frame.sample_aspect_ratio;
  if (aspect.num <= 0 || aspect.den <= 0) aspect = {0, 1};
  const Work work = WorkOf(frame);
  const FilterInput format{frame.width, frame.height, AVPixelFormat(frame.format), input_.time_base(),
                           aspect};
  if (graph_ && (work != work_ || format != format_)) {
    pending_ = true;
    graph_->Push(nullptr);
    return;
  }
  pending_ = false;
  if (!graph_) {
    work_ = work;
    format_ = format;
    std::string filters = work.deinterlace ? "bwdif=mode=send_frame:parity=auto:deint=interlaced" : "null";
    // Left to itself, libavfilter hands packed RGB to zscale as YUV.
    if (!work.colours.empty()) filters += (IsRgb(frame) ? ",format=gbrp16," : ",") + work.colours;
    graph_.emplace(format, filters, name_, work.purpose + ", and cannot be converted by this FFmpeg");
  }
  if (!work.colours.empty()) FillIn(*decoded_);
  graph_->Push(decoded_.get());
}

bool ShownVideo::Next(Image& image, std::optional<double>& seconds) {
  const auto take = [&](const AVFrame& frame, AVRational tick) {
    seconds.reset();
    if (frame.pts != AV_NOPTS_VALUE) seconds = double(frame.pts) * av_q2d(tick);
    image = Finish(frame);
  };
  for (bool ended = false;;) {
    if (graph_) {
      av_frame_unref(shown_.get());
      if (graph_->Pull(*shown_)) {
        take(*shown_, graph_->time_base());
        return true;
      }
      if (graph_->at_end()) {
        graph_.reset();
        if (!pending_) return false;
        Filter();
        continue;
      }
    }
    if (ended || !Decode()) {
      if (!graph_) return false;
      MVD_CHECK(!ended, "a graph whose input has ended asks for no more");
      ended = true;
      graph_->Push(nullptr);
    } else if (!graph_ && WorkOf(*decoded_).purpose.empty()) {
      take(*decoded_, input_.time_base());
      return true;
    } else {
      Filter();
    }
  }
}

Image ShownVideo::Finish(const AVFrame& frame) {
  const ShownSize size = SquarePixels(frame.width, frame.height, frame.sample_aspect_ratio);
  if (size.width <= 0)
    ThrowBadInput(name_, "its pixels are ", frame.sample_aspect_ratio.num, ":", frame.sample_aspect_ratio.den,
                  " as wide as high: more than ", kMaxPixels, " square ones");
  const int orientation = input_.Orientation();
  if (orientation == 0) ThrowBadInput(name_, "is turned by other than quarter turns, which is not read");
  return Orient(converter_.ToRgb(frame, size.width, size.height, name_), orientation);
}

}  // namespace mvd
