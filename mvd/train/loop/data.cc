#include "mvd/train/loop/data.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "mvd/base/error.h"
#include "mvd/data/mixed_source.h"
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

// data.mix as a list.
std::vector<std::pair<std::string, double>> MixOf(const DataSection& data) {
  const nlohmann::json mix = nlohmann::json::parse(data.mix, nullptr, /*allow_exceptions=*/false);
  if (!mix.is_object() || mix.empty())
    ThrowUsage("data.mix is no table of sources, expected such as { synth = 3, \"runs/film\" = 1 }");
  std::vector<std::pair<std::string, double>> sources;
  for (const auto& [name, weight] : mix.items()) {
    if (!weight.is_number() || !(weight.get<double>() > 0))
      ThrowUsage("data.mix gives '", name, "' the weight ", weight.dump(), ", expected a number above 0");
    sources.emplace_back(name, weight.get<double>());
  }
  return sources;
}

constexpr char kSynth[] = "synth";

std::unique_ptr<ClipSource> SynthSource(const DataSection& data, uint64_t seed, int rank, int world,
                                        const ReadAhead& ahead) {
  SynthOptions options = Synth(data, seed);
  options.rank = rank, options.ranks = world;
  options.clips = data.clips, options.keep = data.keep;
  options.ahead = ahead;
  return MakeSynthSource(options);
}

// Films are shown left for right half of the time; procedural scenes know no sides.
std::unique_ptr<ClipSource> Mixed(const DataSection& data, uint64_t seed, int rank, int world,
                                  const ReadAhead& ahead,
                                  const std::function<void(const std::string&)>& note) {
  std::vector<WeightedSource> sources;
  for (const auto& [name, weight] : MixOf(data)) {
    if (name == kSynth)
      sources.push_back({SynthSource(data, seed, rank, world, ahead), weight, false});
    else
      sources.push_back({Shards(data, name, seed, rank, world, note), weight, true});
  }
  return MakeMixedSource(std::move(sources), seed, rank, world);
}

}  // namespace

std::unique_ptr<ClipSource> MakeClipSource(const DataSection& data, uint64_t seed, int rank, int world,
                                           int64_t ahead,
                                           const std::function<void(const std::string&)>& note) {
  const ReadAhead read_ahead{int(data.workers), ahead};
  if (data.kind == "shards") return Shards(data, data.folder, seed, rank, world, note);
  if (data.kind == "pictures") return Pictures(data, seed, rank, world, read_ahead);
  if (data.kind == "mix") return Mixed(data, seed, rank, world, read_ahead, note);
  return SynthSource(data, seed, rank, world, read_ahead);
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
