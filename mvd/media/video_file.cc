#include "mvd/media/video_file.h"

#include <cmath>

#include "mvd/base/error.h"
#include "mvd/media/clip.h"

namespace mvd {

void VideoFile::CloseMuxer::operator()(AVFormatContext* muxer) const {
  avio_closep(&muxer->pb);
  avformat_free_context(muxer);
}

VideoFile::VideoFile(const VideoSettings& settings, int width, int height, AVRational tick, AVRational fps,
                     const std::string& recipe, const std::filesystem::path& file, std::string name)
    : name_(std::move(name)), packet_(CheckAlloc(av_packet_alloc())) {
  SilenceLibav();
  // "file:" keeps a path with a colon from being read as a protocol.
  const std::string url = "file:" + file.string();
  AVFormatContext* muxer = nullptr;
  CheckAv(avformat_alloc_output_context2(&muxer, nullptr, settings.container, url.c_str()), name_,
          "this FFmpeg cannot write the format");
  muxer_.reset(muxer);
  muxer->flags |= AVFMT_FLAG_BITEXACT;
  OpenEncoder(settings, width, height, tick, fps);
  AVStream* stream = CheckAlloc(avformat_new_stream(muxer, nullptr));
  CheckAv(avcodec_parameters_from_context(stream->codecpar, encoder_.get()), name_, "cannot be set up");
  stream->time_base = tick;
  stream->avg_frame_rate = fps;
  ticks_per_frame_ = std::llround(1 / (av_q2d(fps) * av_q2d(tick)));
  if (!recipe.empty()) {
    av_dict_set(&muxer->metadata, kRecipeKey, recipe.c_str(), 0);
    av_dict_set(&muxer->metadata, "comment", "made by mobilevd; the recipe is in mobilevd_recipe", 0);
  }
  CheckAvWrite(avio_open(&muxer->pb, url.c_str(), AVIO_FLAG_WRITE), name_);
  AvOptions options;
  for (const auto& [key, value] : settings.container_options) options.Set(key, value);
  CheckAvWrite(avformat_write_header(muxer, &options.dict), name_);
  MVD_CHECK(!options.dict, "option unknown to ", settings.container);
}

void VideoFile::OpenEncoder(const VideoSettings& settings, int width, int height, AVRational tick,
                            AVRational fps) {
  const AVCodec* codec = avcodec_find_encoder_by_name(settings.encoder);
  if (!codec)
    ThrowBadInput(name_, "this FFmpeg has no encoder ", settings.encoder, ", choose another format");
  encoder_.reset(CheckAlloc(avcodec_alloc_context3(codec)));
  encoder_->width = width;
  encoder_->height = height;
  encoder_->pix_fmt = settings.format;
  encoder_->time_base = tick;
  encoder_->framerate = fps;
  encoder_->sample_aspect_ratio = {1, 1};
  encoder_->thread_count = 1;
  encoder_->flags |= AV_CODEC_FLAG_BITEXACT;
  if (muxer_->oformat->flags & AVFMT_GLOBALHEADER) encoder_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  if (settings.format == AV_PIX_FMT_YUV420P) {
    // Untagged, a player guesses by the size and shifts the colours.
    encoder_->colorspace = AVCOL_SPC_BT709;
    encoder_->color_primaries = AVCOL_PRI_BT709;
    encoder_->color_trc = AVCOL_TRC_BT709;
    encoder_->color_range = AVCOL_RANGE_MPEG;
    encoder_->chroma_sample_location = AVCHROMA_LOC_LEFT;
  }
  AvOptions options;
  for (const auto& [key, value] : settings.encoder_options) options.Set(key, value);
  CheckAv(avcodec_open2(encoder_.get(), codec, &options.dict), name_, "the encoder refuses the clip");
  MVD_CHECK(!options.dict, "option unknown to ", settings.encoder);
}

void VideoFile::Encode(const AVFrame* frame) {
  CheckAv(avcodec_send_frame(encoder_.get(), frame), name_, "cannot be encoded");
  for (;;) {
    const int code = avcodec_receive_packet(encoder_.get(), packet_.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
    CheckAv(code, name_, "cannot be encoded");
    const AVStream* stream = muxer_->streams[0];
    // Else the last frame would have no duration and a player would drop it at once.
    packet_->duration = ticks_per_frame_;
    av_packet_rescale_ts(packet_.get(), encoder_->time_base, stream->time_base);
    packet_->stream_index = 0;
    CheckAvWrite(av_interleaved_write_frame(muxer_.get(), packet_.get()), name_);
  }
}

void VideoFile::Finish() {
  Encode(nullptr);
  CheckAvWrite(av_write_trailer(muxer_.get()), name_);
  avio_flush(muxer_->pb);
  CheckAvWrite(muxer_->pb->error, name_);
  CheckAvWrite(avio_closep(&muxer_->pb), name_);
}

}  // namespace mvd
