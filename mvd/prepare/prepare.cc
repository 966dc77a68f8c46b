#include "mvd/prepare/prepare.h"

#include <algorithm>
#include <atomic>
#include <set>

#include "mvd/base/error.h"
#include "mvd/base/motion.h"
#include "mvd/base/rng.h"
#include "mvd/io/content_hash.h"
#include "mvd/media/scale.h"
#include "mvd/prepare/flow.h"
#include "mvd/prepare/in_order.h"
#include "mvd/prepare/metadata.h"
#include "mvd/prepare/output_folder.h"
#include "mvd/prepare/shard_writer.h"
#include "mvd/prepare/sources.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

constexpr int kSameDifference = 2;  // of 255: what coding changes in a picture that stands still
constexpr double kSlowest = 0.9;    // of the wanted rate: slower sources would show each frame twice
constexpr size_t kMaxWaiting = 4;   // finished clips that a thread holds back for the order

// What one source came to, or one of its samples.
struct Outcome {
  std::optional<ShardSampleContent> sample;
  bool is_picture = false;
  PrepareReport counts;  // to be added
};

struct Work {
  const PrepareOptions& options;
  const std::map<std::string, SourceMetadata>& metadata;
  InOrder<Outcome>& output;
};

void AddTo(PrepareReport& total, const PrepareReport& part) {
  total.cuts += part.cuts;
  total.frozen += part.frozen;
  total.still += part.still;
  total.short_shots += part.short_shots;
  total.failures.insert(total.failures.end(), part.failures.begin(), part.failures.end());
}

ShardSampleContent MakeSample(const std::vector<Image>& frames, const SourceFile& source,
                              const SourceMetadata& metadata) {
  ShardSampleContent sample;
  for (const Image& frame : frames)
    sample.pixels.insert(sample.pixels.end(), frame.rgb.begin(), frame.rgb.end());
  const std::string_view bytes(reinterpret_cast<const char*>(sample.pixels.data()), sample.pixels.size());
  sample.about = {{"frames", frames.size()},
                  {"height", frames[0].height},
                  {"width", frames[0].width},
                  {"source", source.name},
                  {"content_hash", ContentHash(bytes)}};
  if (!metadata.rest.empty()) sample.about["metadata"] = metadata.rest;
  return sample;
}

double DuplicateShare(const CutClip& clip) {
  int same = 0;
  for (size_t i = 1; i < clip.thumbnails.size(); ++i) {
    same += LargestDifference(clip.thumbnails[i - 1], clip.thumbnails[i]) <= kSameDifference;
  }
  return double(same) / double(clip.thumbnails.size() - 1);
}

// One clip against the wishes: a sample, or a count of why not.
Outcome Judge(const CutClip& clip, const SourceFile& source, const SourceMetadata& metadata,
              const PrepareOptions& options, std::unique_ptr<FlowMeter>& meter) {
  Outcome outcome;
  if (DuplicateShare(clip) > options.max_duplicates) {
    outcome.counts.frozen = 1;
    return outcome;
  }
  std::optional<double> bucket =
      metadata.motion_bucket_id ? metadata.motion_bucket_id : options.motion_bucket_id;
  std::optional<double> flow;
  if (!bucket) {
    if (!meter) meter = std::make_unique<FlowMeter>();
    flow = meter->MeanFlow(clip.frames);
    bucket = MotionBucket(*flow, options.shape.height, options.shape.width);
  }
  if (*bucket < options.min_motion) {
    outcome.counts.still = 1;
    return outcome;
  }
  outcome.sample = MakeSample(clip.frames, source, metadata);
  nlohmann::json& about = outcome.sample->about;
  about["fps"] = options.shape.fps;
  about["motion_bucket_id"] = *bucket;
  if (flow) about["mean_flow"] = *flow;
  if (options.motion) {
    if (!meter) meter = std::make_unique<FlowMeter>();
    outcome.sample->motion = meter->Motion(clip.frames);
  }
  about["first_frame"] = clip.first_frame;
  about["first_second"] = clip.first_seconds;
  return outcome;
}

void CheckRate(double fps, double wanted, const std::string& name) {
  if (fps > 0 && fps < kSlowest * wanted)
    ThrowBadInput(name, "has ", fps, " frames a second, fewer than the ", wanted, " of --fps");
}

// Errors of the source, thrown after its good clips were pushed.
PrepareReport CutSource(const Work& work, int64_t item, const SourceFile& source,
                        const SourceMetadata& metadata, std::unique_ptr<FlowMeter>& meter) {
  const ClipShape& shape = work.options.shape;
  const std::string name = source.path.string();
  ClipReader reader(source.path, metadata.fps.value_or(0));
  CheckRate(reader.fps(), shape.fps, name);
  ClipCutter cutter(shape, [&](CutClip clip) {
    work.output.Push(item, Judge(clip, source, metadata, work.options, meter));
  });
  for (TimedFrame frame; reader.Next(frame);) {
    if (work.options.cancel) work.options.cancel->Poll();
    cutter.Add(std::move(frame));
  }
  cutter.Finish();
  if (cutter.frames() == 0) ThrowBadInput(name, "holds no frame that can be decoded");
  PrepareReport counts;
  counts.cuts = cutter.cuts();
  if (cutter.clips() == 0 && cutter.cuts() == 0)
    ThrowBadInput(name, "is too short: ", cutter.frames(), " frames give ", cutter.longest_shot(), " at ",
                  shape.fps, " a second, ", shape.frames, " are needed");
  if (cutter.clips() == 0) counts.short_shots = 1;
  return counts;
}

void ReadPicture(const Work& work, int64_t item, const SourceFile& source, const SourceMetadata& metadata) {
  const Image image = ScaleCrop(ReadImage(source.path), work.options.shape.width, work.options.shape.height);
  Outcome outcome;
  outcome.is_picture = true;
  outcome.sample = MakeSample({image}, source, metadata);
  // A picture stands still at any rate; the keys are there for the reader's sake.
  outcome.sample->about["fps"] = work.options.shape.fps;
  outcome.sample->about["motion_bucket_id"] = metadata.motion_bucket_id.value_or(0);
  work.output.Push(item, std::move(outcome));
}

void ReadSource(const Work& work, int64_t item, const SourceFile& source, std::unique_ptr<FlowMeter>& meter) {
  const auto found = work.metadata.find(source.name);
  const SourceMetadata metadata = found == work.metadata.end() ? SourceMetadata{} : found->second;
  Outcome end;
  try {
    if (source.kind == SourceKind::kPicture) {
      ReadPicture(work, item, source, metadata);
    } else {
      end.counts = CutSource(work, item, source, metadata, meter);
    }
  } catch (const Error& error) {
    // A file's fault is its own; a cancellation or a missing part of the build is everybody's.
    const bool closed = error.exit() == Exit::kNotAllowed && error.file() == source.path.string();
    if (error.exit() != Exit::kBadInput && error.exit() != Exit::kNotFound && !closed) throw;
    end.counts.failures.push_back({source.path.string(), error.what()});
  }
  work.output.Push(item, std::move(end));
  work.output.Done(item);
}

void Shuffle(std::vector<SourceFile>& sources, uint64_t seed) {
  for (size_t i = sources.size(); i > 1; --i) {
    const auto draw = Philox4x32({uint32_t(i), 0, 0, 0}, {uint32_t(seed), uint32_t(seed >> 32)});
    std::swap(sources[i - 1], sources[(uint64_t(draw[1]) << 32 | draw[0]) % i]);
  }
}

std::vector<SourceFile> ChooseSources(const PrepareOptions& options,
                                      const std::map<std::string, SourceMetadata>& metadata,
                                      PrepareReport& report) {
  std::vector<SourceFile> sources = ListSources(options.input, report.failures);
  std::set<std::string> names;
  for (const SourceFile& source : sources) names.insert(source.name);
  for (const auto& [name, unused] : metadata) {
    if (names.contains(name)) continue;
    const std::string path = (options.input / name).string();
    report.failures.push_back(
        {path, path + ": " + kMetadataFile + " names it, but the folder has no such clip"});
  }
  const bool had_some = !sources.empty();
  if (!options.pictures) {
    report.pictures_skipped =
        int64_t(std::erase_if(sources, [](const SourceFile& s) { return s.kind == SourceKind::kPicture; }));
  }
  if (sources.empty()) {
    ThrowBadInput(options.input.string(),
                  had_some ? "holds pictures only; --pictures takes them" : "holds no clips or pictures");
  }
  Shuffle(sources, options.seed);
  return sources;
}

void RunAll(const Work& work, const std::vector<SourceFile>& sources, const Progress& progress) {
  const auto count = int64_t(sources.size());
  std::atomic<int64_t> next{0}, done{0};
  const Threads threads{int(std::clamp<int64_t>(work.options.threads.count, 1, count))};
  // Threads take sources in rising order, which InOrder needs and a parallel loop over sources does not
  // promise.
  ParallelFor(threads, threads.count, [&](int64_t, int thread) {
    std::unique_ptr<FlowMeter> meter;
    try {
      for (int64_t item; (item = next++) < count;) {
        if (work.options.cancel) work.options.cancel->Poll();
        ReadSource(work, item, sources[size_t(item)], meter);
        const int64_t finished = ++done;
        if (thread == 0 && progress) progress("prepare", double(finished) / double(count));
      }
    } catch (...) {
      work.output.Abort(std::current_exception());
      throw;
    }
  });
}

}  // namespace

PrepareReport Prepare(const PrepareOptions& options, const Progress& progress) {
  PrepareReport report;
  std::error_code code;
  const bool is_folder = fs::is_directory(options.input, code);
  const auto metadata = is_folder ? ReadMetadata(options.input) : std::map<std::string, SourceMetadata>{};
  const std::vector<SourceFile> sources = ChooseSources(options, metadata, report);
  report.sources = int64_t(sources.size());
  const OutputFolder folder(options.output, options.force);
  ShardWriter writer(folder.path(), options.shard_bytes);
  std::set<std::string> hashes;
  InOrder<Outcome> output(
      [&](Outcome outcome) {
        AddTo(report, outcome.counts);
        if (!outcome.sample) return;
        if (!hashes.insert(outcome.sample->about["content_hash"].get<std::string>()).second) {
          ++report.repeated;
          return;
        }
        writer.Add(*outcome.sample);
        ++(outcome.is_picture ? report.pictures : report.clips);
      },
      kMaxWaiting);
  try {
    RunAll({options, metadata, output}, sources, progress);
  } catch (...) {
    // Threads that waited for the one that failed throw too, maybe earlier.
    if (output.failure()) std::rethrow_exception(output.failure());
    throw;
  }
  if (report.clips + report.pictures > 0) {
    writer.Finish({{"height", options.shape.height},
                   {"width", options.shape.width},
                   {"frames", options.shape.frames},
                   {"fps", options.shape.fps},
                   {"clips", report.clips},
                   {"pictures", report.pictures}});
    report.left = folder.RemoveOldShards();
  }
  report.shards = writer.shards();
  report.bytes = writer.bytes();
  return report;
}

}  // namespace mvd
