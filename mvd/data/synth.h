// An endless source of made-up clips with known motion: clip (seed, index) is always the same bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mvd/data/series_source.h"

namespace mvd {

// A decoded picture that scenes may show: RGB bytes, (height, width, 3).
struct SynthPhoto {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;
};

// Throws Error(kUsage) where the bytes are not width * height * 3.
void CheckPhoto(const SynthPhoto& photo);

struct SynthOptions {
  uint64_t seed = 0;
  int64_t frames = 14, height = 128, width = 256;
  double fps = 7;
  int64_t rank = 0, ranks = 1;     // this source takes clips rank, rank + ranks, ...
  int64_t clips = 0;               // a source's clips, again and again; 0: endless
  bool keep = false;               // a source with `clips` keeps them in memory once they are made
  std::vector<SynthPhoto> photos;  // without any, no scene shows photographs
  std::string kind;                // only this kind of scene; empty: any
  double pace = 0;                 // motion in frame heights a second, up to 10; 0: drawn for each clip
  ReadAhead ahead;                 // of a source
};

struct SynthClip {
  TrainingClip clip;  // with its motion_bucket_id (mvd/base/motion.h)
  std::string kind;
  bool exact_flow = true;  // false where fire, smoke or water also change their look
  double mean_flow = 0;    // mean length of the flow over a grid of pixels, all frames but the last
  // (T-1,H,W,2), x then y, pixels: frame t at (x,y) shows what frame t+1 shows at (x,y) + flow, unless it is
  // covered or has left the frame there.
  std::vector<float> flow;
};

// The kinds of scenes by name, with one line each on what they show, in the order of the table.
struct SynthKind {
  std::string name, shows;
  bool exact_flow = true;
  bool needs_photos = false;
  bool tells_way = false;  // the first frame says which way things move; elsewhere it is drawn
};
std::vector<SynthKind> SynthKinds();

// Clip `index` alone, independent of rank and ranks. Throws Error(kUsage) for sizes outside frames 2 to 1024,
// height and width 16 to 4096, fps 0.1 to 1000, pace 0 to 10, an unknown kind, or a kind that needs photos
// without any.
SynthClip RenderSynthClip(const SynthOptions& options, uint64_t index);

// Position: "synth:SEED:RANK/RANKS:NEXT".
std::unique_ptr<ClipSource> MakeSynthSource(const SynthOptions& options);

}  // namespace mvd
