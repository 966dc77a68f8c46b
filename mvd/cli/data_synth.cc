// data synth: clips of the procedural source as files, and a sheet of pictures to look at them.
#include "mvd/cli/data_synth.h"

#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>
#include <numbers>
#include <sstream>

#include "mvd/base/atomic_file.h"
#include "mvd/base/paths.h"
#include "mvd/cli/option_table.h"
#include "mvd/cli/output.h"
#include "mvd/cli/terminal.h"
#include "mvd/data/synth.h"
#include "mvd/media/clip.h"
#include "mvd/media/image.h"

namespace mvd::cli {
namespace fs = std::filesystem;
namespace {

struct DataSynthFlags {
  SynthOptions synth;
  std::string output, photos, format{DefaultClipFormat().name}, sheet;
  uint64_t start = 0;
  int64_t count = 16;
  bool force = false;
};

Image FrameOf(const TrainingClip& clip, int64_t frame) {
  const size_t bytes = size_t(clip.height) * size_t(clip.width) * 3;
  const auto first = clip.pixels.begin() + ptrdiff_t(size_t(frame) * bytes);
  return {int(clip.width), int(clip.height), {first, first + ptrdiff_t(bytes)}};
}

// Direction as hue, length as brightness up to the largest of the frame; at least 0.25 pixels, so that a
// still scene stays dark.
Image FlowPicture(const SynthClip& made, int64_t frame) {
  const TrainingClip& clip = made.clip;
  const size_t pixels = size_t(clip.height) * size_t(clip.width);
  const float* flow = &made.flow[size_t(frame) * pixels * 2];
  float largest = 0.25f;
  for (size_t i = 0; i < pixels; ++i) largest = std::max(largest, std::hypot(flow[2 * i], flow[2 * i + 1]));
  Image image{int(clip.width), int(clip.height), std::vector<uint8_t>(pixels * 3)};
  for (size_t i = 0; i < pixels; ++i) {
    const float length = std::sqrt(std::hypot(flow[2 * i], flow[2 * i + 1]) / largest);
    const float angle = std::atan2(flow[2 * i + 1], flow[2 * i]);
    for (int c = 0; c < 3; ++c) {
      const float wave = 0.5f + 0.5f * std::cos(angle - float(c) * float(2 * std::numbers::pi / 3));
      image.rgb[3 * i + size_t(c)] = uint8_t(255 * length * (0.15f + 0.85f * wave));
    }
  }
  return image;
}

void Copy(const Image& from, int left, int top, Image& to) {
  for (int y = 0; y < from.height; ++y) {
    std::copy_n(from.rgb.begin() + ptrdiff_t(y) * from.width * 3, from.width * 3,
                to.rgb.begin() + (ptrdiff_t(top + y) * to.width + left) * 3);
  }
}

// One clip of each kind: first, middle and last frame and the middle's flow side by side, two kinds a row.
nlohmann::json WriteSheet(const DataSynthFlags& o, Session& session, StatusLine& status) {
  std::vector<SynthKind> kinds = SynthKinds();
  std::erase_if(kinds, [&](const SynthKind& kind) {
    return (kind.needs_photos && o.synth.photos.empty()) ||
           (!o.synth.kind.empty() && kind.name != o.synth.kind);
  });
  if (!o.synth.kind.empty()) kinds.resize(12 * kinds.size(), kinds.empty() ? SynthKind{} : kinds[0]);
  if (kinds.empty()) RenderSynthClip(o.synth, o.start);  // says which kind is unknown or needs photos
  constexpr int kGap = 2, kColumns = 2, kPictures = 4;
  const int cell_x = int(o.synth.width) + kGap, cell_y = int(o.synth.height) + kGap;
  const int rows = (int(kinds.size()) + kColumns - 1) / kColumns;
  Image sheet{kColumns * kPictures * cell_x - kGap, rows * cell_y - kGap, {}};
  sheet.rgb.resize(size_t(sheet.width) * size_t(sheet.height) * 3, 255);
  nlohmann::json shown = nlohmann::json::array();
  for (size_t i = 0; i < kinds.size(); ++i) {
    session.cancel->Poll();
    status.Update("sheet", double(i) / double(kinds.size()));
    SynthOptions options = o.synth;
    options.kind = kinds[i].name;
    const SynthClip made = RenderSynthClip(options, o.start + i);
    const int left = int(i % kColumns) * kPictures * cell_x, top = int(i / kColumns) * cell_y;
    const int64_t last = options.frames - 1;
    Copy(FrameOf(made.clip, 0), left, top, sheet);
    Copy(FrameOf(made.clip, last / 2), left + cell_x, top, sheet);
    Copy(FrameOf(made.clip, last), left + 2 * cell_x, top, sheet);
    Copy(FlowPicture(made, last / 2), left + 3 * cell_x, top, sheet);
    shown.push_back(kinds[i].name);
  }
  WritePng(o.sheet, sheet);
  return {{"file", o.sheet}, {"scenes", shown}};
}

std::string ClipName(const ClipFormat& format, uint64_t seed, uint64_t index) {
  return StrCat("synth_", seed, "_", std::string(index < 1000000 ? 6 - std::to_string(index).size() : 0, '0'),
                index, ExtensionOf(format));
}

constexpr char kListFile[] = "metadata.jsonl";
constexpr size_t kMaxListBytes = size_t{1} << 30;

// Whether each line is one that this command writes: somebody's own list must not be lost.
bool IsOurList(const fs::path& list) {
  std::istringstream lines(ReadFile(list, kMaxListBytes));
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) return false;
    for (const char* key : {"file", "scene", "seed", "index"})
      if (!json.contains(key)) return false;
  }
  return true;
}

// Before anything is drawn. Somebody's own list is not even replaced with --force.
void CheckTarget(const DataSynthFlags& o, const fs::path& target) {
  std::error_code code;
  if (!fs::exists(fs::symlink_status(target, code))) return;
  if (!o.force) ThrowUsage(target.string(), " exists; --force replaces it");
  if (target.filename() == kListFile && !IsOurList(target))
    ThrowUsage(target.string(), " is not a list that data synth wrote; choose another folder");
}

nlohmann::json WriteClips(const DataSynthFlags& o, Session& session, StatusLine& status) {
  const ClipFormat* format = FindClipFormat(o.format);
  if (!format) ThrowUsage("--format ", o.format, ": expected one of ", ClipFormatNames());
  CheckCanWrite(*format);
  const fs::path folder = o.output;
  CheckTarget(o, folder / kListFile);
  for (int64_t i = 0; i < o.count; ++i)
    CheckTarget(o, folder / ClipName(*format, o.synth.seed, o.start + uint64_t(i)));
  MakeFolders(folder);
  std::string metadata;
  for (int64_t i = 0; i < o.count; ++i) {
    session.cancel->Poll();
    status.Update("clips", double(i) / double(o.count));
    const uint64_t index = o.start + uint64_t(i);
    const SynthClip made = RenderSynthClip(o.synth, index);
    Clip clip{int(o.synth.width), int(o.synth.height), o.synth.fps, {}};
    for (int64_t t = 0; t < o.synth.frames; ++t) clip.frames.push_back(FrameOf(made.clip, t));
    const std::string name = ClipName(*format, o.synth.seed, index);
    const nlohmann::json line = {{"file", name},
                                 {"fps", o.synth.fps},
                                 {"frames", o.synth.frames},
                                 {"motion_bucket_id", made.clip.motion_bucket_id},
                                 {"scene", made.kind},
                                 {"mean_flow", made.mean_flow},
                                 {"seed", o.synth.seed},
                                 {"index", index}};
    WriteClip(clip, folder / name, *format, line.dump(), Replace::kYes);
    metadata += line.dump() + "\n";
  }
  // Last, so that a list stands only beside the clips it names.
  WriteFile(folder / kListFile, metadata);
  return {{"folder", o.output}, {"clips", o.count}};
}

Exit Run(DataSynthFlags o, Session& session) {
  if (o.output.empty() && o.sheet.empty()) ThrowUsage("data synth: expected -o FOLDER or --sheet FILE.png");
  if (!o.photos.empty()) {
    for (Image& image : ReadImages(o.photos))
      o.synth.photos.push_back({image.width, image.height, std::move(image.rgb)});
  }
  if (!o.sheet.empty()) CheckTarget(o, o.sheet);
  StatusLine status(session.quiet);
  nlohmann::json done = nlohmann::json::object();
  if (!o.sheet.empty()) done["sheet"] = WriteSheet(o, session, status);
  if (!o.output.empty()) done["clips"] = WriteClips(o, session, status);
  status.Clear();
  if (session.json) {
    PrintJson(done);
  } else {
    if (!o.sheet.empty()) std::cout << o.sheet << "\n";
    if (!o.output.empty()) std::cout << o.output << ": " << o.count << " clips and metadata.jsonl\n";
  }
  return Exit::kOk;
}

}  // namespace

Runner DeclareDataSynth(CLI::App& app) {
  auto o = std::make_shared<DataSynthFlags>();
  AddOption(app, WithHelp(Table().output_folder, "Folder for the clips and their metadata.jsonl"), o->output);
  AddOption(
      app,
      {.flags = "--sheet", .help = "Also or only a PNG: each kind of scene with its flow", .value = "FILE"},
      o->sheet);
  AddOption(app, {.flags = "--count,-n", .help = "Clips to write", .value = "N", .least = 1, .most = 1e9},
            o->count);
  AddOption(app, {.flags = "--start", .help = "Index of the first clip", .value = "N"}, o->start);
  AddOption(app, {.flags = "--seed", .help = "Seed of the endless series of clips", .value = "N"},
            o->synth.seed);
  AddOption(app, {.flags = "--frames", .help = "Frames per clip", .value = "N", .least = 2, .most = 1024},
            o->synth.frames);
  AddOption(app, {.flags = "--height", .help = "Height", .value = "PIXELS", .least = 16, .most = 4096},
            o->synth.height);
  AddOption(app, {.flags = "--width", .help = "Width", .value = "PIXELS", .least = 16, .most = 4096},
            o->synth.width);
  AddOption(app, {.flags = "--fps", .help = "Frames per second", .value = "RATE", .least = 0.1, .most = 1000},
            o->synth.fps);
  AddOption(
      app, {.flags = "--photos", .help = "Folder of pictures: adds scenes that show them", .value = "FOLDER"},
      o->photos);
  AddOption(app, ClipFormatOption("Format of the clips"), o->format);
  std::vector<std::string> kinds;
  for (const SynthKind& kind : SynthKinds()) kinds.push_back(kind.name);
  AddOption(app,
            {.flags = "--kind",
             .help = "Only this kind of scene",
             .value = "NAME",
             .choices = kinds,
             .unset = "all kinds"},
            o->synth.kind);
  AddOption(app,
            {.flags = "--pace",
             .help = "Motion in frame heights per second; 0: drawn for each clip",
             .value = "X",
             .least = 0,
             .most = 10},
            o->synth.pace);
  AddOption(app, WithHelp(Table().force, "Replace clips, list and sheet of an earlier run"), o->force);
  return [o](Session& session) { return Run(*o, session); };
}

}  // namespace mvd::cli
