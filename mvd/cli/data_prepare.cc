// data prepare: a folder of clips and pictures made into shards for training.
#include "mvd/cli/data_prepare.h"

#include <cstdio>
#include <iostream>

#include "mvd/base/stopwatch.h"
#include "mvd/cli/flags.h"
#include "mvd/cli/terminal.h"
#include "mvd/prepare/prepare.h"

namespace mvd::cli {
namespace {

struct Options {
  std::string input, output;
  ClipShape shape;
  int stride = 0, threads = 0;
  bool pictures = false, force = false;
  double max_duplicates = PrepareOptions{}.max_duplicates, min_motion = 0, motion_bucket_id = -1;
  int64_t shard_mb = 256;
  uint64_t seed = 0;
};

// `what` as the command line spells it.
template <class T>
void CheckRange(const char* what, T value, T low, T high) {
  if (!(value >= low && value <= high)) ThrowUsage(what, " ", value, ": expected ", low, " to ", high);
}

PrepareOptions Resolve(const Options& o, const CancelToken* cancel) {
  CheckRange("--height", o.shape.height, 8, 8192);
  CheckRange("--width", o.shape.width, 8, 8192);
  CheckRange("--frames", o.shape.frames, 2, 1000);
  CheckRange("--fps", o.shape.fps, 0.1, 240.0);
  CheckRange("--stride", o.stride, 0, 1000000);
  CheckRange("--scene-cut", o.shape.cut_threshold, 0.0, 2.0);
  CheckRange("--max-duplicates", o.max_duplicates, 0.0, 1.0);
  CheckRange("--min-motion", o.min_motion, 0.0, 255.0);
  CheckRange("--shard-size", o.shard_mb, int64_t(1), int64_t(1) << 20);
  PrepareOptions p;
  p.input = o.input;
  p.output = o.output;
  p.shape = o.shape;
  p.shape.stride = o.stride > 0 ? o.stride : o.shape.frames;
  p.pictures = o.pictures;
  p.max_duplicates = o.max_duplicates;
  p.min_motion = o.min_motion;
  if (o.motion_bucket_id != -1) {
    CheckRange("--motion-bucket-id", o.motion_bucket_id, 0.0, 255.0);
    p.motion_bucket_id = o.motion_bucket_id;
  }
  p.shard_bytes = o.shard_mb << 20;
  p.seed = o.seed;
  p.threads.count = o.threads > 0 ? o.threads : HardwareThreads();
  p.force = o.force;
  p.cancel = cancel;
  return p;
}

nlohmann::json AsJson(const Options& o, const PrepareReport& r, double seconds) {
  nlohmann::json failed = nlohmann::json::array();
  for (const auto& f : r.failures) failed.push_back({{"file", f.file}, {"error", f.error}});
  return {
      {"output", o.output},
      {"sources", r.sources},
      {"clips", r.clips},
      {"pictures", r.pictures},
      {"pictures_skipped", r.pictures_skipped},
      {"shards", r.shards},
      {"bytes", r.bytes},
      {"cuts", r.cuts},
      {"rejected",
       {{"frozen", r.frozen}, {"still", r.still}, {"repeated", r.repeated}, {"short_shots", r.short_shots}}},
      {"failed", failed},
      {"seconds", seconds}};
}

void Print(const Options& o, const PrepareReport& r, double seconds) {
  std::printf("%s: %lld clips, %lld pictures in %lld shards of %s, from %lld files in %s\n", o.output.c_str(),
              static_cast<long long>(r.clips), static_cast<long long>(r.pictures),
              static_cast<long long>(r.shards), FormatBytes(double(r.bytes)).c_str(),
              static_cast<long long>(r.sources), FormatSeconds(seconds).c_str());
  const std::pair<const char*, int64_t> counts[] = {
      {"scene cuts", r.cuts},
      {"rejected: frozen", r.frozen},
      {"rejected: motion below --min-motion", r.still},
      {"rejected: same pixels as another", r.repeated},
      {"rejected: files whose shots are all too short", r.short_shots},
      {"pictures passed over (--pictures takes them)", r.pictures_skipped},
      {"failed files", int64_t(r.failures.size())},
  };
  for (const auto& [what, count] : counts) {
    if (count > 0) std::printf("  %-46s %lld\n", what, static_cast<long long>(count));
  }
}

Exit RunPrepare(Session& session, const Options& o) {
  const PrepareOptions options = Resolve(o, session.cancel);
  StatusLine status(session.quiet);
  const Stopwatch clock;
  const PrepareReport report = Prepare(options, status.AsProgress());
  status.Clear();
  for (const auto& failure : report.failures) std::fprintf(stderr, "mobilevd: %s\n", failure.error.c_str());
  for (const std::string& line : report.left) std::fprintf(stderr, "mobilevd: %s\n", line.c_str());
  if (report.clips + report.pictures == 0) {
    ThrowBadInput(o.input, "gives no clip: of ", report.sources, " files ", report.failures.size(),
                  " failed and ", report.short_shots, " have only short shots; ", report.frozen,
                  " clips are frozen, ", report.still, " too still");
  }
  if (session.json) {
    std::cout
        << AsJson(o, report, clock.Seconds()).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
        << "\n";
  } else {
    Print(o, report, clock.Seconds());
  }
  return report.failures.empty() ? Exit::kOk : Exit::kPartial;
}

}  // namespace

Runner DeclareDataPrepare(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("input", o->input,
                 "Folder of clips and pictures, with metadata.jsonl where it has one; or a clip")
      ->required();
  app.add_option("-o,--output", o->output, "Folder to write")->required();
  app.add_option("--height", o->shape.height, "Pixels")->capture_default_str();
  app.add_option("--width", o->shape.width, "Pixels")->capture_default_str();
  app.add_option("--frames", o->shape.frames, "Frames of a clip")->capture_default_str();
  app.add_option("--fps", o->shape.fps, "Frames a second of a clip; sources are resampled by time")
      ->capture_default_str();
  app.add_option("--stride", o->stride, "Frames from a clip's start to the next's; 0: no overlap, no gap")
      ->capture_default_str();
  app.add_option("--shard-size", o->shard_mb, "MiB of pixels after which a shard is closed")
      ->capture_default_str();
  app.add_option("--scene-cut", o->shape.cut_threshold, "Change, 0 to 1, that ends a shot; above 1 none does")
      ->capture_default_str();
  app.add_option("--min-motion", o->min_motion, "Reject clips whose motion bucket, 0 to 255, is lower")
      ->capture_default_str();
  app.add_option("--max-duplicates", o->max_duplicates, "Reject clips with a larger share of repeated frames")
      ->capture_default_str();
  app.add_option("--motion-bucket-id", o->motion_bucket_id,
                 "For all clips, instead of measuring optical flow");
  app.add_flag("--pictures", o->pictures, "Keep pictures, as samples of one frame");
  app.add_option("--seed", o->seed, "Order of the files in the shards")->capture_default_str();
  app.add_option("-t,--threads", o->threads, "Threads; 0 uses every processor")->capture_default_str();
  app.add_flag("--force", o->force, "Replace the set of shards in a folder that has one; other files stay");
  return [o](Session& session) { return RunPrepare(session, *o); };
}

}  // namespace mvd::cli
