// Writes one small checkpoint, as training does: checkpoint_driver RUN STEP. For the fault loops, which need
// no LibTorch this way. Exits as the program does.
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <vector>

#include "mvd/base/file_error.h"
#include "mvd/base/process_end.h"
#include "mvd/train/checkpoint.h"

int main(int argc, char** argv) {
  if (argc != 3) return int(mvd::Exit::kUsage);
  std::set_terminate([] {
    if (!mvd::CleanUpIfOutOfMemory()) std::abort();
    std::fputs("mobilevd: out of memory\n", stderr);
    std::_Exit(int(mvd::Exit::kOutOfMemory));
  });
  try {
    const std::vector<float> values(10000, float(std::atoi(argv[2])));
    mvd::CheckpointContent content;
    content.step = std::atoi(argv[2]);
    content.files["unet"]["weight"] = {mvd::DType::kF32, {int64_t(values.size())}, values.data()};
    content.files["adam"]["moment"] = {mvd::DType::kF32, {int64_t(values.size())}, values.data()};
    content.state = {{"samples", content.step * 4}};
    mvd::CheckpointStore store(argv[1], {.keep = 2});
    store.Save(content);
    // As the next start would: the newest must load.
    if (store.LoadNewest()->step != content.step) return int(mvd::Exit::kInternal);
    return 0;
  } catch (const mvd::Error& error) {
    std::fprintf(stderr, "mobilevd: %s\n", error.what());
    return int(error.exit());
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "mobilevd: out of memory\n");
    return int(mvd::Exit::kOutOfMemory);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mobilevd: internal error: %s\n", error.what());
    return int(mvd::Exit::kInternal);
  }
}
