#include "mvd/cli/generate_memory.h"

#include <cstdlib>

namespace mvd::cli {

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

AnnouncedMemory PlanMemory(const std::vector<StageMemory>& stages, int64_t limit) {
  const StageMemory* largest = &stages[0];
  for (const StageMemory& stage : stages) {
    if (stage.plan.total() > largest->plan.total()) largest = &stage;
  }
  const int64_t bytes = largest->plan.total() + ResidentBytes();
  if (limit > 0 && bytes > limit) {
    throw Error(Exit::kOutOfMemory, "",
                StrCat("this needs ", FormatBytes(double(bytes)), " of memory, ", FormatBytes(double(limit)),
                       " are allowed: take a smaller size, fewer frames or --decode-chunk-size"));
  }
  return {bytes, "memory: " + FormatBytes(double(bytes)) + " at most, in " + largest->component +
                     " (weights " + FormatBytes(double(largest->plan.weight_bytes)) + ", activations " +
                     FormatBytes(double(largest->plan.activation_bytes)) + ")"};
}

}  // namespace mvd::cli
