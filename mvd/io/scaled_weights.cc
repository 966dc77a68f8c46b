// The scales that 8-bit checkpoints keep beside their weights.
#include <array>
#include <span>

#include "mvd/base/error.h"
#include "mvd/io/model_folder.h"

namespace mvd {
namespace {

// MODULE + ending is the scale of MODULE.weight: ComfyUI's name, that of compressed-tensors, and that of
// transformers' fp8, which multiplies too, whatever the name says.
constexpr std::array<std::string_view, 3> kScaleEndings = {".scale_weight", ".weight_scale",
                                                           ".weight_scale_inv"};
// What says how inputs were scaled, or how a layer was quantized: nothing here computes in 8 bits.
constexpr std::array<std::string_view, 3> kPassedOver = {".scale_input", ".input_scale", ".comfy_quant"};
// ComfyUI's mark on a file of scaled weights.
constexpr std::string_view kMarker = "scaled_fp8";

std::optional<std::string> WeightOf(const std::string& name, std::span<const std::string_view> endings) {
  for (std::string_view ending : endings) {
    if (name.ends_with(ending)) return name.substr(0, name.size() - ending.size()) + ".weight";
  }
  return std::nullopt;
}

}  // namespace

void FolderWeights::AddScale(const std::string& weight, const std::string& scale) {
  const Shape& shape = Entry(weight).info.shape;
  const Shape& found = Entry(scale).info.shape;
  const int64_t rows = shape.rank() == 0 ? 1 : shape[0];
  const bool one = found.elements() == 1;
  if (!one && !(rows > 0 && found.elements() == rows && found[0] == rows)) {
    ThrowBadInput(FileOf(scale).path(), "tensor '", Printable(scale), "' has shape ", found,
                  ", expected one number, or one per output channel of '", Printable(weight), "', ", shape);
  }
  const auto [at, inserted] = scales_.try_emplace(weight);
  if (!inserted) ThrowBadInput(FileOf(scale).path(), "'", Printable(weight), "' has two scales");
  const Tensor values = ConvertTo(FileOf(scale).Get(scale), DType::kF32);
  at->second.assign(values.f32().begin(), values.f32().end());
}

void FolderWeights::CheckNotQuantized(const std::string& weight) const {
  constexpr std::string_view kWeight = ".weight";
  if (!weight.ends_with(kWeight) || IsFloat(*Entry(weight).type)) return;
  const std::string module = weight.substr(0, weight.size() - kWeight.size());
  for (std::string_view ending : kScaleEndings) {
    const std::string scale = module + std::string(ending);
    if (file_of_.contains(scale))
      ThrowBadInput(FileOf(weight).path(), "tensor '", Printable(weight), "' is stored as ",
                    TypeOf(weight).name, " with a scale, '", Printable(scale),
                    "', expected floats: quantized integers are not read");
  }
}

void FolderWeights::FindScales() {
  const auto is_f8 = [&](const std::string& weight) {
    return file_of_.contains(weight) && TypeOf(weight).f8;
  };
  std::vector<std::string> used;
  for (const auto& [name, file] : file_of_) {
    const auto scaled = WeightOf(name, kScaleEndings), described = WeightOf(name, kPassedOver);
    if (scaled && is_f8(*scaled)) {
      AddScale(*scaled, name);
      used.push_back(name);
    } else if ((described && is_f8(*described)) || name == kMarker ||
               name.ends_with("." + std::string(kMarker))) {
      used.push_back(name);
    }
  }
  for (const std::string& name : used) file_of_.erase(name);
}

}  // namespace mvd
