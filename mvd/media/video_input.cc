#include "mvd/media/video_input.h"

extern "C" {
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
}

#include <cmath>
#include <cstring>

#include "mvd/base/error.h"
#include "mvd/media/container_end.h"

namespace mvd {
namespace {

constexpr char kFormats[] = "mov,mp4,matroska,webm,avi,gif,yuv4mpegpipe,mpegts";
constexpr char kCodecs[] =
    "h264,hevc,vp8,vp9,libvpx,libvpx-vp9,libdav1d,av1,gif,rawvideo,mpeg4,mpeg2video,mjpeg,ffv1,png";
constexpr int64_t kProbeBytes = 5 << 20;
constexpr char kDamaged[] = "damaged clip, or of a kind that is not read";

int RefuseToOpen(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EACCES);
}

// A size that no memory holds is a damaged header here, not a lack of ours.
int CheckInput(int code, const std::string& name, const char* what) {
  if (code == AVERROR(ENOMEM)) ThrowBadInput(name, what, ": it asks for more memory than there is");
  return CheckAv(code, name, what);
}

}  // namespace

void VideoInput::CloseInput::operator()(AVFormatContext* input) const {
  AVIOContext* file = input->pb;  // ours, as the flag AVFMT_FLAG_CUSTOM_IO says
  avformat_close_input(&input);
  avio_closep(&file);
}

VideoInput::VideoInput(const std::filesystem::path& path)
    : name_(path.string()), packet_(CheckAlloc(av_packet_alloc())) {
  SilenceLibav();
  Open(path);
  const int index = av_find_best_stream(input_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  if (index < 0) ThrowBadInput(name_, "holds no video stream");
  stream_ = input_->streams[index];
  for (unsigned i = 0; i < input_->nb_streams; ++i) {
    if (int(i) != index) input_->streams[i]->discard = AVDISCARD_ALL;
  }
  const AVCodecParameters& codec = *stream_->codecpar;
  if (codec.width <= 0 || codec.height <= 0 || int64_t(codec.width) * codec.height > kMaxPixels) {
    ThrowBadInput(name_, "its frames are ", codec.width, "x", codec.height, " pixels, 1 to ", kMaxPixels,
                  " are read");
  }
  CheckComplete(path);
}

void VideoInput::Open(const std::filesystem::path& path) {
  AVIOContext* file = nullptr;
  // "file:" keeps a path with a colon from being read as a protocol.
  CheckInput(avio_open(&file, ("file:" + path.string()).c_str(), AVIO_FLAG_READ), name_, "cannot be read");
  AVFormatContext* input = avformat_alloc_context();
  if (!input) {
    avio_closep(&file);
    throw std::bad_alloc();
  }
  input->pb = file;
  input->io_open = RefuseToOpen;
  input->probesize = kProbeBytes;
  AvOptions options;
  options.Set("format_whitelist", kFormats);
  options.Set("codec_whitelist", kCodecs);
  options.Set("protocol_whitelist", "file");
  const int code = avformat_open_input(&input, nullptr, nullptr, &options.dict);
  if (code < 0) avio_closep(&file);  // the context is freed already
  CheckInput(code, name_, kDamaged);
  input_.reset(input);
  input->max_analyze_duration = 5 * AV_TIME_BASE;
  CheckInput(avformat_find_stream_info(input, nullptr), name_, kDamaged);
}

// Half a clip must not pass for a short one. Where the container has an index, every frame it names must lie
// inside the file.
void VideoInput::CheckComplete(const std::filesystem::path& path) const {
  const AVCodecParameters& codec = *stream_->codecpar;
  const int frame_bytes = av_image_get_buffer_size(AVPixelFormat(codec.format), codec.width, codec.height, 1);
  if (EndsEarly(path, frame_bytes)) ThrowBadInput(name_, "is truncated: its end is missing");
  const int64_t size = avio_size(input_->pb);
  const int count = avformat_index_get_entries_count(stream_);
  for (int i = 0; i < count && size >= 0; ++i) {
    const AVIndexEntry* entry = avformat_index_get_entry(stream_, i);
    if (entry->pos < 0 || entry->pos > size || entry->size > size - entry->pos)
      ThrowBadInput(name_, "is truncated: frame ", i, " of ", count, " lies beyond its end");
  }
}

void VideoInput::OpenDecoder() {
  const AVCodec* codec = avcodec_find_decoder(stream_->codecpar->codec_id);
  if (!codec)
    ThrowBadInput(name_, "its codec '", avcodec_get_name(stream_->codecpar->codec_id), "' is unknown");
  decoder_.reset(CheckAlloc(avcodec_alloc_context3(codec)));
  CheckInput(avcodec_parameters_to_context(decoder_.get(), stream_->codecpar), name_, kDamaged);
  decoder_->thread_count = 1;
  decoder_->pkt_timebase = stream_->time_base;
  decoder_->max_pixels = kMaxPixels;
  AvOptions options;
  options.Set("codec_whitelist", kCodecs);
  const int code = avcodec_open2(decoder_.get(), codec, &options.dict);
  if (code < 0) ThrowBadInput(name_, "its codec '", codec->name, "' is not read");
}

double VideoInput::fps() const {
  const AVRational mean = stream_->avg_frame_rate.num > 0 ? stream_->avg_frame_rate : stream_->r_frame_rate;
  return mean.num > 0 && mean.den > 0 ? av_q2d(mean) : 0;
}

int VideoInput::Orientation() const {
  size_t size = 0;
  const uint8_t* data = av_stream_get_side_data(stream_, AV_PKT_DATA_DISPLAYMATRIX, &size);
  if (!data || size < 9 * sizeof(int32_t)) return 1;
  int32_t matrix[9];
  std::memcpy(matrix, data, sizeof matrix);
  // A pixel at (x, y) is shown at (a x + c y, b x + d y), up to a shift.
  const auto sign = [](int32_t value) { return std::abs(double(value)) < 655 ? 0 : value < 0 ? -1 : 1; };
  const int a = sign(matrix[0]), b = sign(matrix[1]), c = sign(matrix[3]), d = sign(matrix[4]);
  if (a && d && !b && !c) return a > 0 ? (d > 0 ? 1 : 4) : (d > 0 ? 2 : 3);
  if (b && c && !a && !d) return b > 0 ? (c > 0 ? 5 : 6) : (c > 0 ? 8 : 7);
  return 0;
}

AVRational VideoInput::SampleAspect(AVFrame* frame) const {
  return av_guess_sample_aspect_ratio(input_.get(), stream_, frame);
}

std::string VideoInput::Tag(const char* key) const {
  const AVDictionaryEntry* found = av_dict_get(input_->metadata, key, nullptr, 0);
  return found ? found->value : "";
}

bool VideoInput::ReadPacket() {
  for (;;) {
    av_packet_unref(packet_.get());
    const int code = av_read_frame(input_.get(), packet_.get());
    if (code == AVERROR_EOF && input_->pb->error >= 0) return false;
    CheckInput(code, name_, "damaged clip");
    if (packet_->stream_index != stream_->index) continue;
    if (packet_->flags & AV_PKT_FLAG_CORRUPT) ThrowBadInput(name_, "damaged clip: a frame is cut short");
    return true;
  }
}

namespace {

// A file can hold any number where libav has an enum: one that libav has no name for says nothing. `count` is
// one above the last value.
template <class E>
void ForgetUnknown(E& value, const char* (*name)(E), E count, E unspecified) {
  int number = 0;
  std::memcpy(&number, &value, sizeof(number));  // to read such a number as the enum would be undefined
  if (number < 0 || number >= int(count) || !name(value)) value = unspecified;
}

}  // namespace

bool VideoInput::Next(AVFrame& frame) {
  if (!decoder_) OpenDecoder();
  for (;;) {
    const int code = avcodec_receive_frame(decoder_.get(), &frame);
    if (code == AVERROR_EOF) return false;
    if (code != AVERROR(EAGAIN)) {
      CheckInput(code, name_, "damaged clip");
      if ((frame.flags & AV_FRAME_FLAG_CORRUPT) || frame.decode_error_flags)
        ThrowBadInput(name_, "damaged clip: a frame cannot be decoded whole");
      ForgetUnknown(frame.color_primaries, av_color_primaries_name, AVCOL_PRI_NB, AVCOL_PRI_UNSPECIFIED);
      ForgetUnknown(frame.color_trc, av_color_transfer_name, AVCOL_TRC_NB, AVCOL_TRC_UNSPECIFIED);
      ForgetUnknown(frame.colorspace, av_color_space_name, AVCOL_SPC_NB, AVCOL_SPC_UNSPECIFIED);
      ForgetUnknown(frame.color_range, av_color_range_name, AVCOL_RANGE_NB, AVCOL_RANGE_UNSPECIFIED);
      return true;
    }
    MVD_CHECK(!drained_, "a drained decoder asks for no more");
    drained_ = !ReadPacket();
    CheckInput(avcodec_send_packet(decoder_.get(), drained_ ? nullptr : packet_.get()), name_,
               "damaged clip");
  }
}

ClipInfo VideoInput::Probe() {
  ClipInfo info;
  // libav's demuxers carry all their names: "mov,mp4,m4a,3gp,3g2,mj2".
  const std::string names = input_->iformat->name;
  info.format = names.starts_with("mov,") ? "mp4" : names.starts_with("matroska,") ? "webm" : names;
  if (info.format == "yuv4mpegpipe") info.format = "y4m";
  info.codec = avcodec_get_name(stream_->codecpar->codec_id);
  const char* pixels = av_get_pix_fmt_name(AVPixelFormat(stream_->codecpar->format));
  info.pixels = pixels ? pixels : "";
  info.width = stream_->codecpar->width;
  info.height = stream_->codecpar->height;
  info.fps = fps();
  while (ReadPacket()) ++info.frames;
  if (input_->duration > 0) info.seconds = double(input_->duration) / AV_TIME_BASE;
  if (info.seconds == 0 && info.fps > 0) info.seconds = double(info.frames) / info.fps;
  return info;
}

}  // namespace mvd
