#include "mvd/cli/generate_memory.h"

#include <algorithm>
#include <cstdlib>

#include "mvd/cli/picture.h"

namespace mvd::cli {
namespace {

// What reading the largest picture holds, and what remains of it while it is encoded.
struct PictureMemory {
  int64_t reading = 0, kept = 0;
};

PictureMemory MemoryOfPicture(const PlannedClip& clip) {
  const GenerateOptions& o = clip.options;
  if (!o.from_latents.empty()) return {};
  try {
    const PictureBytes bytes = PlanPicture(clip.job.image, o.width, o.height, *ParseFit(o.fit));
    return {bytes.reading, bytes.kept};
  } catch (const Error&) {  // it fails alone, later
    return {};
  }
}

// The frames as floats and as bytes, and what the format's libraries hold.
int64_t WriteBytes(const PlannedClip& clip) {
  const GenerateOptions& o = clip.options;
  const int64_t encoder =
      clip.job.format ? EncoderBytes(*clip.job.format, o.width, o.height, o.num_frames) : 0;
  return encoder + 15 * o.width * o.height * o.num_frames;
}

// What a clip's stages hold depends on these alone.
bool SameSizes(const SvdOptions& a, const SvdOptions& b) {
  return a.height == b.height && a.width == b.width && a.frame_height == b.frame_height &&
         a.frame_width == b.frame_width && a.decode_chunk_size == b.decode_chunk_size;
}

}  // namespace

int64_t ChooseChunk(const GenerateOptions& o, const SvdEngine& engine, const SvdOptions& pipeline,
                    int64_t limit) {
  if (o.decode_chunk_size != "auto") {
    char* end = nullptr;
    const long value = std::strtol(o.decode_chunk_size.c_str(), &end, 10);
    if (*end || value < 1 || value > 1024)
      ThrowUsage("--decode-chunk-size ", o.decode_chunk_size, ": expected auto or 1 to 1024");
    return value;
  }
  const int64_t allowed = limit > 0 ? limit : SystemMemoryBytes("MemAvailable:");
  return engine.FitDecodeChunk(pipeline, allowed - ResidentBytes());
}

AnnouncedMemory PlanMemory(const std::vector<PlannedClip>& clips, const SvdEngine& engine, int64_t limit) {
  std::vector<StageMemory> stages;
  for (size_t i = 0; i < clips.size(); ++i) {
    const PlannedClip& clip = clips[i];
    const PictureMemory picture = MemoryOfPicture(clip);
    stages.push_back({"reading of the picture", {}, picture.reading});
    stages.push_back({"writing of the clip", {}, WriteBytes(clip)});
    int64_t kept = picture.kept;  // of all pictures with these sizes the largest
    bool planned = false;
    for (size_t k = 0; k < i && !planned; ++k)
      planned = SameSizes(clips[k].pipeline, clip.pipeline) && MemoryOfPicture(clips[k]).kept >= kept;
    if (planned) continue;
    std::ranges::move(engine.Plan(clip.pipeline, kept), std::back_inserter(stages));
  }
  if (stages.empty()) return {};
  const StageMemory& largest = *std::ranges::max_element(stages, {}, &StageMemory::total);
  const int64_t bytes = largest.total() + ResidentBytes();
  if (limit > 0 && bytes > limit) {
    throw Error(Exit::kOutOfMemory, "",
                StrCat("this needs ", FormatBytes(double(bytes)), " of memory, ", FormatBytes(double(limit)),
                       " are allowed: take a smaller picture or size, fewer frames or --decode-chunk-size"));
  }
  // Threads' stacks, libraries and generated code take addresses that the plan does not know. oneDNN 2.6 does
  // not survive an allocation of code that fails, so that too little is refused before it begins.
  constexpr int64_t kUntouched = 128 << 20;
  const int64_t left = AddressSpaceLeft();
  if (largest.total() + kUntouched > left) {
    throw Error(
        Exit::kOutOfMemory, "",
        StrCat("this needs ", FormatBytes(double(largest.total() + kUntouched)),
               " of address space, the process's limit (ulimit -v) leaves ", FormatBytes(double(left))));
  }
  return {bytes, StrCat("memory: ", FormatBytes(double(bytes)), " at most, in ", largest.component,
                        " (weights ", FormatBytes(double(largest.plan.weight_bytes)), ", activations ",
                        FormatBytes(double(largest.plan.activation_bytes)), ", pictures and frames ",
                        FormatBytes(double(largest.beside_bytes)), ")")};
}

}  // namespace mvd::cli
