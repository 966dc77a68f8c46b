#include "mvd/prepare/clip_cutter.h"

#include <algorithm>

#include "mvd/base/check.h"
#include "mvd/media/scale.h"

namespace mvd {

ClipCutter::ClipCutter(const ClipShape& shape, std::function<void(CutClip)> emit)
    : shape_(shape), emit_(std::move(emit)), detector_(shape.cut_threshold) {
  MVD_CHECK(shape.frames >= 2 && shape.stride >= 1 && shape.fps > 0);
}

void ClipCutter::Add(TimedFrame frame) {
  Source now{std::move(frame), {}, frames_++};
  now.thumbnail = MakeThumbnail(now.frame.image);
  if (detector_.IsCut(now.thumbnail)) {
    ++cuts_;
    EndShot();
  }
  if (!shot_open_) {
    shot_open_ = true;
    shot_start_ = now.frame.seconds;
    last_.reset();
  }
  // Of the two frames around a target the nearer one; the later of two that are equally near.
  while (Target() <= now.frame.seconds) {
    const bool earlier = last_ && Target() - last_->frame.seconds < now.frame.seconds - Target();
    Pick(earlier ? *last_ : now);
  }
  last_ = std::move(now);
}

void ClipCutter::Finish() { EndShot(); }

void ClipCutter::EndShot() {
  // A frame stands for half an interval behind its time: without this a rounded timestamp costs the last
  // frame.
  if (shot_open_ && last_ && Target() - last_->frame.seconds < 0.5 / shape_.fps) Pick(*last_);
  longest_shot_ = std::max(longest_shot_, picked_);
  shot_open_ = false;
  picked_ = pass_over_ = 0;
  window_.clear();
}

void ClipCutter::Pick(const Source& source) {
  ++picked_;
  if (pass_over_ > 0) {
    --pass_over_;
    return;
  }
  window_.push_back({ScaleCrop(source.frame.image, shape_.width, shape_.height), source.thumbnail,
                     source.number, source.frame.seconds});
  if (int64_t(window_.size()) == shape_.frames) Emit();
}

void ClipCutter::Emit() {
  ++clips_;
  CutClip clip;
  clip.first_frame = window_.front().number;
  clip.first_seconds = window_.front().seconds;
  for (const Picked& picked : window_) {
    clip.frames.push_back(picked.image);
    clip.thumbnails.push_back(picked.thumbnail);
  }
  const auto drop = std::min<int64_t>(shape_.stride, shape_.frames);
  window_.erase(window_.begin(), window_.begin() + drop);
  pass_over_ = shape_.stride - drop;
  emit_(std::move(clip));
}

}  // namespace mvd
