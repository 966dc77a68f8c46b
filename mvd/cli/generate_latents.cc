#include "mvd/cli/generate_latents.h"

#include <algorithm>
#include <exception>
#include <map>

#include "mvd/base/error.h"
#include "mvd/io/safetensors.h"
#include "mvd/media/clip.h"
#include "mvd/sample/guidance.h"

namespace mvd::cli {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxNameBytes = 255;
constexpr int kMaxTries = 1000;

std::string NameOfKept(std::string name, int number) {
  const std::string end = StrCat(".latents", number > 1 ? StrCat("-", number) : "", kLatentsExtension);
  name.resize(std::min(name.size(), kMaxNameBytes - end.size()));
  return name + end;
}

// Nothing where the folder does not take it; `why` then says so.
fs::path KeepIn(const fs::path& folder, const ClipLatents& latents, const std::string& name,
                const std::string& recipe, std::exception_ptr& why) {
  for (int number = 1; number <= kMaxTries; ++number) {
    const fs::path kept = folder / NameOfKept(name, number);
    std::error_code code;
    if (fs::exists(fs::symlink_status(kept, code))) continue;
    try {
      WriteLatents(latents, kept, recipe, Replace::kNo);
      return kept;
    } catch (const Error&) {
      if (!why) why = std::current_exception();
      return {};
    }
  }
  return {};
}

}  // namespace

void WriteLatents(const ClipLatents& latents, const fs::path& target, const std::string& recipe,
                  Replace replace) {
  const Tensor first = ToChannelsFirst(latents.latents);
  std::map<std::string, TensorView> tensors{{kLatentsName, first.view()}};
  if (latents.picture.shape().rank() == 4) tensors.emplace(kPictureName, latents.picture.view());
  WriteSafetensors(target, tensors, {{kRecipeKey, recipe}}, replace);
}

ClipLatents ReadLatents(const fs::path& path, int64_t channels, bool with_picture) {
  const SafetensorsFile file = SafetensorsFile::Open(path);
  const Tensor stored = ConvertTo(file.Get(kLatentsName), DType::kF32);
  if (stored.shape().rank() != 5 || stored.shape()[0] != 1 || stored.shape()[2] != channels ||
      stored.elements() == 0) {
    ThrowBadInput(path.string(), "tensor '", kLatentsName, "' has shape ", stored.shape(), ", expected (1,T,",
                  channels, ",h,w)");
  }
  ClipLatents result{ToChannelsLast(stored), {}};
  if (!with_picture) return result;
  result.picture = ConvertTo(file.Get(kPictureName), DType::kF32);
  const Shape& shape = result.picture.shape();
  if (shape.rank() != 4 || shape[0] != 1 || shape[3] != 3 || result.picture.elements() == 0)
    ThrowBadInput(path.string(), "tensor '", kPictureName, "' has shape ", shape, ", expected (1,H,W,3)");
  return result;
}

std::string ReadLatentsRecipe(const fs::path& path) {
  const SafetensorsFile file = SafetensorsFile::Open(path);
  const auto found = file.metadata().find(kRecipeKey);
  return found == file.metadata().end() ? "" : found->second;
}

fs::path KeepLatents(const ClipLatents& latents, const std::string& name,
                     const std::vector<fs::path>& folders, const std::string& recipe) {
  std::exception_ptr why;
  for (const fs::path& folder : folders) {
    if (fs::path kept = KeepIn(folder, latents, name, recipe, why); !kept.empty()) return kept;
  }
  if (why) std::rethrow_exception(why);
  throw Error(Exit::kNotWritten, "", "no name is free for the latents");
}

}  // namespace mvd::cli
