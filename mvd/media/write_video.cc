// Clips as H.264 in mp4, which plays everywhere, and as VP9 in webm.
#include "mvd/media/codecs.h"
#include "mvd/media/video_file.h"

namespace mvd {
namespace {

void WriteVideo(const VideoSettings& settings, const Clip& clip, int width, int height,
                const std::string& recipe, const Path& file, const std::string& name) {
  const AVRational fps = av_d2q(clip.fps, 100'000);
  VideoFile video(settings, width, height, av_inv_q(fps), fps, recipe, file, name);
  PixelConverter converter;
  for (size_t i = 0; i < clip.frames.size(); ++i) {
    const FramePtr rgb = ToAvFrame(clip.frames[i], width, height);
    const FramePtr frame = converter.FromRgb(*rgb, settings.format, AVCOL_SPC_BT709);
    frame->pts = int64_t(i);
    video.Add(*frame);
  }
  video.Finish();
}

}  // namespace

// 4:2:0 H.264 has even sizes only: an odd side grows by one pixel that repeats the edge, so nothing is lost.
void WriteMp4(const Clip& clip, const std::string& recipe, const Path& file, const std::string& name) {
  // On pictures narrower than a few macroblocks x264's macroblock tree reads memory it has not set, and the
  // bytes of the file vary (seen at 96 pixels and below, never at 136 and above).
  const bool tree = clip.width >= 128 && clip.height >= 64;
  const VideoSettings settings{
      "mp4",
      "libx264",
      AV_PIX_FMT_YUV420P,
      {{"preset", "medium"}, {"crf", "17"}, {"profile", "high"}, {"mbtree", tree ? "1" : "0"}},
      // mdta tags: the only ones of mp4 that take any key.
      {{"movflags", "+faststart+use_metadata_tags"}}};
  WriteVideo(settings, clip, (clip.width + 1) & ~1, (clip.height + 1) & ~1, recipe, file, name);
}

void WriteWebm(const Clip& clip, const std::string& recipe, const Path& file, const std::string& name) {
  const VideoSettings settings{
      "webm",
      "libvpx-vp9",
      AV_PIX_FMT_YUV420P,
      {{"crf", "18"}, {"b", "0"}, {"deadline", "good"}, {"cpu-used", "2"}, {"auto-alt-ref", "1"}},
      {}};
  WriteVideo(settings, clip, clip.width, clip.height, recipe, file, name);
}

}  // namespace mvd
