// Where training gets its clips from: one contract for the procedural source, shards and cached latents.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace mvd {

inline constexpr int64_t kFlowRows = 4, kFlowColumns = 8;

// Pixels are RGB bytes, frame by frame, row by row: (T,H,W,3).
struct TrainingClip {
  int64_t frames = 0, height = 0, width = 0;
  std::vector<uint8_t> pixels;
  double fps = 7;
  double motion_bucket_id = 127;  // 0 to 255
  // What made-up clips know of themselves: their kind's place in SynthKinds, and (T-1, kFlowRows,
  // kFlowColumns, 2) mean flow of each cell of the frame, x then y, in parts of the frame's diagonal. -1 and
  // empty elsewhere.
  int64_t kind = -1;
  std::vector<float> cell_flow;
  // Where each frame's cells of kMotionCell x kMotionCell pixels (mvd/base/motion.h), the last ones cut off,
  // were in the first frame: (T,rows,columns,3): the way from the cell there, x then y, in parts of the
  // frame's diagonal, and the share of the cell, 0 to 1, that the first frame shows. Empty where nobody
  // knows.
  std::vector<float> motion;
  std::string name;  // for messages: "synth:12:345" or file and member
};

// A position that a checkpoint stores: text, one line, opaque to all but the source.
class ClipSource {
 public:
  virtual ~ClipSource() = default;
  // The next clip of this rank's part. Endless: after the last clip the source begins anew (next epoch, other
  // order). A clip that cannot be read is reported through `Skipped`, counted and skipped.
  virtual TrainingClip Next() = 0;
  virtual std::string Position() const = 0;
  // Continues exactly after the clip at which Position() was asked. Throws Error(kBadInput) where the
  // position is of another source or another number of ranks.
  virtual void Seek(const std::string& position) = 0;
  virtual int64_t Skipped() const { return 0; }
};

}  // namespace mvd
