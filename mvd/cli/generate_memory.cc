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

PictureMemory PlanPictures(const GenerateOptions& o, const std::vector<Job>& jobs) {
  PictureMemory most;
  if (!o.from_latents.empty()) return most;
  for (const Job& job : jobs) {
    try {
      const PictureBytes bytes = PlanPicture(job.image, o.width, o.height, *ParseFit(o.fit));
      most.reading = std::max(most.reading, bytes.reading);
      most.kept = std::max(most.kept, bytes.kept);
    } catch (const Error&) {  // it fails alone, later
    }
  }
  return most;
}

// The frames as floats and as bytes, and what the formats' libraries hold.
int64_t WriteBytes(const GenerateOptions& o, const std::vector<Job>& jobs) {
  int64_t most = 0;
  for (const Job& job : jobs) {
    if (job.format) most = std::max(most, EncoderBytes(*job.format, o.width, o.height, o.num_frames));
  }
  return most + 15 * o.width * o.height * o.num_frames;
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

AnnouncedMemory PlanMemory(const GenerateOptions& o, const std::vector<Job>& jobs, const SvdEngine& engine,
                           const SvdOptions& pipeline, int64_t limit) {
  const PictureMemory pictures = PlanPictures(o, jobs);
  std::vector<StageMemory> stages = engine.Plan(pipeline, pictures.kept);
  stages.push_back({"reading of the picture", {}, pictures.reading});
  stages.push_back({"writing of the clip", {}, WriteBytes(o, jobs)});
  const StageMemory& largest = *std::ranges::max_element(stages, {}, &StageMemory::total);
  const int64_t bytes = largest.total() + ResidentBytes();
  if (limit > 0 && bytes > limit) {
    throw Error(Exit::kOutOfMemory, "",
                StrCat("this needs ", FormatBytes(double(bytes)), " of memory, ", FormatBytes(double(limit)),
                       " are allowed: take a smaller picture or size, fewer frames or --decode-chunk-size"));
  }
  return {bytes, StrCat("memory: ", FormatBytes(double(bytes)), " at most, in ", largest.component,
                        " (weights ", FormatBytes(double(largest.plan.weight_bytes)), ", activations ",
                        FormatBytes(double(largest.plan.activation_bytes)), ", pictures and frames ",
                        FormatBytes(double(largest.beside_bytes)), ")")};
}

}  // namespace mvd::cli
