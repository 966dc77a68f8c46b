#include "mvd/train/loop/data.h"

#include <fstream>

#include "mvd/base/error.h"
#include "mvd/data/picture_source.h"
#include "mvd/data/shard_source.h"
#include "mvd/data/synth.h"
#include "mvd/io/content_hash.h"
#include "mvd/media/image.h"

namespace mvd {
namespace {

// Far from every seed a run would be given, so held-out clips are never trained on.
constexpr uint64_t kHeldOutSeed = 0x68656c642d6f7574;

std::vector<SynthPhoto> ReadPhotos(const std::string& folder) {
  std::vector<SynthPhoto> photos;
  for (Image& image : ReadImages(folder)) photos.push_back({image.width, image.height, std::move(image.rgb)});
  return photos;
}

SynthOptions Synth(const DataSection& data, uint64_t seed) {
  SynthOptions options;
  options.seed = seed;
  options.frames = data.frames, options.height = data.height, options.width = data.width;
  options.fps = data.fps;
  if (!data.photos.empty()) options.photos = ReadPhotos(data.photos);
  return options;
}

std::unique_ptr<ClipSource> Pictures(const DataSection& data, uint64_t seed, int rank, int world,
                                     const ReadAhead& ahead) {
  PictureOptions options;
  options.seed = seed;
  options.height = data.height, options.width = data.width;
  options.rank = rank, options.ranks = world;
  options.photos = ReadPhotos(data.photos);
  options.ahead = ahead;
  return MakePictureSource(std::move(options));
}

// Each held-out photograph's middle once, over and over where more are asked for.
std::vector<TrainingClip> HeldOutPhotos(const DataSection& data, int64_t count) {
  const std::vector<SynthPhoto> photos = ReadPhotos(data.heldout);
  std::vector<TrainingClip> clips;
  for (int64_t i = 0; i < count; ++i)
    clips.push_back(MiddleOfPhoto(photos[size_t(i) % photos.size()], data.height, data.width));
  return clips;
}

std::string HashFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) ThrowBadInput(path.string(), "cannot be read");
  std::vector<char> part(size_t{1} << 20);
  ContentDigest digest;
  while (in.read(part.data(), std::streamsize(part.size())), in.gcount() > 0)
    digest.Add(part.data(), size_t(in.gcount()));
  return digest.Hex();
}

std::unique_ptr<ClipSource> Shards(const DataSection& data, const std::string& folder, uint64_t seed,
                                   int rank, int world, const std::function<void(const std::string&)>& note) {
  const ShardFolderInfo info = ReadShardFolderInfo(folder);
  if (info.frames != data.frames || info.height != data.height || info.width != data.width) {
    ThrowBadInput(folder, "holds clips of ", info.frames, " frames of ", info.width, "x", info.height,
                  ", but data.frames, data.width and data.height say ", data.frames, " of ", data.width, "x",
                  data.height);
  }
  ShardOptions options;
  options.folder = folder;
  options.on_skip = note;
  options.hash_bytes = [](const void* bytes, size_t size) {
    return ContentHash({static_cast<const char*>(bytes), size});
  };
  if (data.verify == "shards") options.hash_file = HashFile;
  options.seed = seed;
  options.rank = rank, options.ranks = world;
  return MakeShardSource(std::move(options));
}

}  // namespace

std::unique_ptr<ClipSource> MakeClipSource(const DataSection& data, uint64_t seed, int rank, int world,
                                           int64_t ahead,
                                           const std::function<void(const std::string&)>& note) {
  const ReadAhead read_ahead{int(data.workers), ahead};
  if (data.kind == "shards") return Shards(data, data.folder, seed, rank, world, note);
  if (data.kind == "pictures") return Pictures(data, seed, rank, world, read_ahead);
  SynthOptions options = Synth(data, seed);
  options.rank = rank, options.ranks = world;
  options.clips = data.clips, options.keep = data.keep;
  options.ahead = read_ahead;
  return MakeSynthSource(options);
}

std::vector<TrainingClip> HeldOutClips(const DataSection& data, uint64_t seed, int64_t count) {
  if (data.kind == "pictures") return HeldOutPhotos(data, count);
  const std::unique_ptr<ClipSource> source = data.heldout.empty()
                                                 ? MakeSynthSource(Synth(data, kHeldOutSeed ^ seed))
                                                 : Shards(data, data.heldout, 0, 0, 1, nullptr);
  std::vector<TrainingClip> clips;
  for (int64_t i = 0; i < count; ++i) clips.push_back(source->Next());
  return clips;
}

}  // namespace mvd
