// data prepare: a folder of clips and pictures made into shards for training.
#include "mvd/cli/data_prepare.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "mvd/base/stopwatch.h"
#include "mvd/cli/flags.h"
#include "mvd/cli/option_table.h"
#include "mvd/cli/output.h"
#include "mvd/cli/terminal.h"
#include "mvd/prepare/prepare.h"

namespace mvd::cli {
namespace {

struct DataPrepareFlags {
  std::string input, output;
  ClipShape shape;
  int stride = 0, threads = 0;
  bool pictures = false, motion = false, force = false;
  double max_duplicates = PrepareOptions{}.max_duplicates, min_motion = 0, motion_bucket_id = kUnset<double>;
  double shard_mb = 256;
  uint64_t seed = 0;
};

PrepareOptions Resolve(const DataPrepareFlags& o, const CancelToken* cancel) {
  PrepareOptions p;
  p.input = o.input;
  p.output = o.output;
  p.shape = o.shape;
  p.shape.stride = o.stride > 0 ? o.stride : o.shape.frames;
  p.pictures = o.pictures;
  p.motion = o.motion;
  p.max_duplicates = o.max_duplicates;
  p.min_motion = o.min_motion;
  if (!IsUnset(o.motion_bucket_id)) p.motion_bucket_id = o.motion_bucket_id;
  p.shard_bytes = std::max<int64_t>(1, std::llround(o.shard_mb * 0x1p20));
  p.seed = o.seed;
  p.threads.count = o.threads > 0 ? o.threads : HardwareThreads();
  p.force = o.force;
  p.cancel = cancel;
  return p;
}

nlohmann::json AsJson(const DataPrepareFlags& o, const PrepareReport& r, double seconds) {
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

void Print(const DataPrepareFlags& o, const PrepareReport& r, double seconds) {
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

Exit RunPrepare(Session& session, const DataPrepareFlags& o) {
  const PrepareOptions options = Resolve(o, session.cancel);
  StatusLine status(session.quiet);
  const Stopwatch clock;
  const PrepareReport report = Prepare(options, status.AsProgress());
  status.Clear();
  for (const auto& failure : report.failures) PrintError(failure.error);
  for (const std::string& line : report.left) PrintError(line);
  if (report.clips + report.pictures == 0) {
    ThrowBadInput(o.input, "gives no clip: of ", report.sources, " files ", report.failures.size(),
                  " failed and ", report.short_shots, " have only short shots; ", report.frozen,
                  " clips are frozen, ", report.still, " too still");
  }
  if (session.json) {
    PrintJson(AsJson(o, report, clock.Seconds()));
  } else {
    Print(o, report, clock.Seconds());
  }
  return report.failures.empty() ? Exit::kOk : Exit::kPartial;
}

}  // namespace

Runner DeclareDataPrepare(CLI::App& app) {
  auto o = std::make_shared<DataPrepareFlags>();
  AddOption(app,
            {.flags = "input",
             .help = "Folder of clips and pictures, with metadata.jsonl where it has one; or a clip",
             .value = "PATH",
             .required = true},
            o->input);
  AddOption(app, Required(WithHelp(Table().output_folder, "Folder to write")), o->output);
  AddOption(app, {.flags = "--height", .help = "Height", .value = "PIXELS", .least = 8, .most = 8192},
            o->shape.height);
  AddOption(app, {.flags = "--width", .help = "Width", .value = "PIXELS", .least = 8, .most = 8192},
            o->shape.width);
  AddOption(app, {.flags = "--frames", .help = "Frames per clip", .value = "N", .least = 2, .most = 1000},
            o->shape.frames);
  AddOption(app,
            {.flags = "--motion", .help = "Keep each clip's motion, for models that move a picture; slow"},
            o->motion);
  AddOption(app,
            {.flags = "--fps",
             .help = "Frames per second of a clip; sources are resampled by time",
             .value = "RATE",
             .least = 0.1,
             .most = 240},
            o->shape.fps);
  AddOption(app,
            {.flags = "--stride",
             .help = "Frames from the start of a clip to the start of the next; 0: no overlap, no gap",
             .value = "N",
             .least = 0,
             .most = 1000000},
            o->stride);
  AddOption(app,
            {.flags = "--shard-size",
             .help = "MiB of pixels after which a shard is closed",
             .value = "MIB",
             .least = 0.001,
             .most = 1 << 20},
            o->shard_mb);
  AddOption(app,
            {.flags = "--scene-cut",
             .help = "Change that ends a shot, 0 to 1; none does above 1",
             .value = "X",
             .least = 0,
             .most = 2},
            o->shape.cut_threshold);
  AddOption(app,
            {.flags = "--min-motion",
             .help = "Reject clips with a lower motion bucket",
             .value = "X",
             .least = 0,
             .most = 255},
            o->min_motion);
  AddOption(app,
            {.flags = "--max-duplicates",
             .help = "Reject clips with a larger share of repeated frames",
             .value = "X",
             .least = 0,
             .most = 1},
            o->max_duplicates);
  AddOption(app,
            {.flags = "--motion-bucket-id",
             .help = "Motion bucket of all clips",
             .value = "X",
             .least = 0,
             .most = 255,
             .unset = "measured by optical flow"},
            o->motion_bucket_id);
  AddOption(app, {.flags = "--pictures", .help = "Keep pictures, as samples of one frame"}, o->pictures);
  AddOption(app, {.flags = "--seed", .help = "Seed of the order of files in the shards", .value = "N"},
            o->seed);
  AddOption(app, InGroup(Table().threads, "Options"), o->threads);
  AddOption(app,
            WithHelp(Table().force, "Replace the set of shards in a folder that has one; other files stay"),
            o->force);
  return [o](Session& session) { return RunPrepare(session, *o); };
}

}  // namespace mvd::cli
