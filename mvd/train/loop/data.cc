#include "mvd/train/loop/data.h"

#include "mvd/base/error.h"
#include "mvd/data/shard_source.h"
#include "mvd/data/synth.h"
#include "mvd/media/image.h"

namespace mvd {
namespace {

// Far from every seed a run would be given, so held-out clips are never trained on.
constexpr uint64_t kHeldOutSeed = 0x68656c642d6f7574;

SynthOptions Synth(const DataSection& data, uint64_t seed) {
  SynthOptions options;
  options.seed = seed;
  options.frames = data.frames, options.height = data.height, options.width = data.width;
  options.fps = data.fps;
  if (data.photos.empty()) return options;
  for (const auto& path : ListImages(data.photos)) {
    Image image = ReadImage(path);
    options.photos.push_back({image.width, image.height, std::move(image.rgb)});
  }
  return options;
}

std::unique_ptr<ClipSource> Shards(const std::string& folder, uint64_t seed, int rank, int world) {
  ShardOptions options;
  options.folder = folder;
  options.seed = seed;
  options.rank = rank, options.ranks = world;
  return MakeShardSource(std::move(options));
}

}  // namespace

std::unique_ptr<ClipSource> MakeClipSource(const DataSection& data, uint64_t seed, int rank, int world) {
  if (data.kind == "shards") return Shards(data.folder, seed, rank, world);
  SynthOptions options = Synth(data, seed);
  options.rank = rank, options.ranks = world;
  return MakeSynthSource(options);
}

std::vector<TrainingClip> HeldOutClips(const DataSection& data, uint64_t seed, int64_t count) {
  const std::unique_ptr<ClipSource> source = data.heldout.empty()
                                                 ? MakeSynthSource(Synth(data, kHeldOutSeed ^ seed))
                                                 : Shards(data.heldout, 0, 0, 1);
  std::vector<TrainingClip> clips;
  for (int64_t i = 0; i < count; ++i) clips.push_back(source->Next());
  return clips;
}

}  // namespace mvd
