#include "mvd/engine/single_file.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "mvd/base/error.h"
#include "mvd/engine/components.h"

namespace mvd {
namespace fs = std::filesystem;
namespace {

// Whether a name or title has "xt" as a word of its own: svd_xt_1_1, "Stable Video Diffusion XT".
bool SaysXt(std::string_view text) {
  std::string word;
  for (size_t i = 0; i <= text.size(); ++i) {
    const auto c = i < text.size() ? static_cast<unsigned char>(text[i]) : static_cast<unsigned char>(' ');
    if (std::isalnum(c)) {
      word += char(std::tolower(c));
      continue;
    }
    if (word == "xt" || word == "svdxt") return true;
    word.clear();
  }
  return false;
}

// The columns of a matrix as rows; elements of any type.
Tensor Transposed(const TensorView& view) {
  const int64_t rows = view.shape[0], columns = view.shape[1];
  Tensor result({columns, rows}, view.dtype);
  const size_t size = SizeOf(view.dtype);
  const auto* from = static_cast<const char*>(view.data);
  auto* to = static_cast<char*>(result.data());
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c)
      std::memcpy(to + size_t(c * rows + r) * size, from + size_t(r * columns + c) * size, size);
  }
  return result;
}

}  // namespace

// One network's tensors under diffusers' names.
class SingleFile::Source : public WeightSource {
 public:
  Source(std::shared_ptr<const SingleFile> file, const std::map<std::string, Part>& parts)
      : file_(std::move(file)), parts_(parts) {}

  std::string Origin() const override { return file_->path(); }

  std::optional<TensorInfo> Find(const std::string& name) const override {
    const auto found = parts_.find(name);
    if (found == parts_.end()) return std::nullopt;
    return TensorInfo{file_->weights_.Find(found->second.from)->dtype, file_->ShapeOf(found->second)};
  }

  TensorView Get(const std::string& name) override {
    const auto found = parts_.find(name);
    if (found == parts_.end()) ThrowBadInput(Origin(), "tensor '", name, "' is missing");
    const Part& part = found->second;
    TensorView view = file_->weights_.Get(part.from);
    if (part.form == StabilityForm::kTransposed) {
      held_[name] = Transposed(view);
    } else if (part.form == StabilityForm::kThird) {
      Tensor third(file_->ShapeOf(part), view.dtype);
      const size_t bytes = third.view().bytes();
      std::memcpy(third.data(), static_cast<const char*>(view.data) + size_t(part.part) * bytes, bytes);
      held_[name] = std::move(third);
    } else {
      view.shape = file_->ShapeOf(part);
      return view;
    }
    file_->weights_.Release(part.from);
    return held_[name];
  }

  void Release(const std::string& name) override {
    if (held_.erase(name) == 0) file_->weights_.Release(parts_.at(name).from);
  }

 private:
  std::shared_ptr<const SingleFile> file_;
  const std::map<std::string, Part>& parts_;
  std::map<std::string, Tensor> held_;
};

bool SingleFile::Is(const SafetensorsFile& file) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : file.tensors()) names.push_back(name);
  return HasStabilityNames(names);
}

std::shared_ptr<SingleFile> SingleFile::Open(const fs::path& path) {
  SafetensorsFile file = SafetensorsFile::Open(path);
  if (!Is(file)) {
    ThrowBadInput(
        path.string(),
        "is no model: expected a model folder in diffusers' layout, or Stable Video Diffusion in one "
        "file with tensors such as 'model.diffusion_model.time_embed.0.weight'");
  }
  const std::map<std::string, std::string> metadata = file.metadata();
  std::shared_ptr<SingleFile> result(new SingleFile(std::move(file)));
  result->MapNames();
  result->ChoosePreset(path.filename().string(), metadata);
  return result;
}

void SingleFile::MapNames() {
  const std::vector<std::string> names = weights_.Names();
  layout_ = LayoutOf(names);
  for (const std::string& name : names) {
    for (StabilityTensor& tensor : FromStability(name, layout_)) {
      const auto [at, inserted] =
          parts_[tensor.folder].emplace(tensor.name, Part{name, tensor.form, tensor.part});
      if (!inserted) {
        ThrowBadInput(path(), "tensors '", Printable(at->second.from), "' and '", Printable(name),
                      "' are both ", tensor.folder, "/", Printable(tensor.name));
      }
    }
  }
}

Shape SingleFile::ShapeOf(const Part& part) const {
  const Shape shape = weights_.Find(part.from)->shape;
  const auto expect = [&](bool fits, const char* expected) {
    if (!fits)
      ThrowBadInput(path(), "tensor '", Printable(part.from), "' has shape ", shape, ", expected ", expected);
  };
  switch (part.form) {
    case StabilityForm::kSame:
      return shape;
    case StabilityForm::kMatrix:
      if (shape.rank() == 2) return shape;
      expect(shape.rank() == 4 && shape[2] == 1 && shape[3] == 1, "(O,I,1,1)");
      return {shape[0], shape[1]};
    case StabilityForm::kTransposed:
      expect(shape.rank() == 2, "a matrix");
      return {shape[1], shape[0]};
    case StabilityForm::kThird: {
      expect(shape.rank() > 0 && shape[0] % 3 == 0, "queries, keys and values along the first axis");
      Shape third = shape;
      third[0] /= 3;
      return third;
    }
  }
  return shape;
}

// Tensors that differ from the preset's networks. A network that the file lacks altogether is no difference.
SingleFile::Mismatch SingleFile::Compare(const Preset& preset) const {
  Mismatch result;
  const auto count = [&](const auto&... words) {
    if (++result.count == 1) result.first = StrCat(words...);
  };
  for (const ComponentInfo& info : Components()) {
    const auto network = parts_.find(info.folder);
    if (network == parts_.end()) continue;
    const Graph graph = info.build(preset.models, kSmallestCall);
    for (ValueId id : graph.All(Op::kWeight)) {
      const std::string& name = graph.node(id).name;
      const auto found = network->second.find(name);
      if (found == network->second.end()) {
        count("lacks ", info.folder, "/", name);
      } else if (const Shape shape = ShapeOf(found->second); shape != graph.shape(id)) {
        count("has ", info.folder, "/", name, " in shape ", shape, ", expected ", graph.shape(id));
      }
    }
  }
  return result;
}

void SingleFile::ChoosePreset(const std::string& file_name,
                              const std::map<std::string, std::string>& metadata) {
  if (parts_.empty()) ThrowBadInput(path(), "holds no network of Stable Video Diffusion");
  Mismatch nearest;
  for (const char* name : {"svd", "svd-tiny"}) {
    const Preset preset = FindPreset(name);
    const Mismatch mismatch = Compare(preset);
    if (mismatch.count == 0) {
      preset_ = preset;
      break;
    }
    if (nearest.count == 0 || mismatch.count < nearest.count) nearest = mismatch;
  }
  if (preset_.name.empty()) {
    ThrowBadInput(path(), "is not Stable Video Diffusion as published: it ", nearest.first);
  }
  assumed_ = StrCat("taken for ", preset_.name, " by the shapes of its tensors");
  if (preset_.name != "svd") return;
  std::string says = SaysXt(file_name) ? "its name says" : "";
  for (const char* key : {"modelspec.title", "modelspec.architecture", "title", "name"}) {
    const auto found = metadata.find(key);
    if (says.empty() && found != metadata.end() && SaysXt(found->second))
      says = StrCat("its metadata's ", key, " says");
  }
  if (!says.empty()) preset_ = FindPreset("svd-xt");
  assumed_ = StrCat("taken for ", preset_.name, ", ", preset_.defaults.frames,
                    " frames: ", says.empty() ? "neither its name nor its metadata says" : says,
                    " xt; --frames sets another number");
}

std::vector<std::string> SingleFile::Names(std::string_view folder) const {
  std::vector<std::string> names;
  if (!Has(folder)) return names;
  for (const auto& [name, part] : parts_.find(folder)->second) names.push_back(name);
  return names;
}

std::unique_ptr<WeightSource> SingleFile::Weights(std::string_view folder) const {
  const auto found = parts_.find(folder);
  if (found == parts_.end()) ThrowBadInput(path(), "has no tensors of the ", folder);
  return std::make_unique<Source>(shared_from_this(), found->second);
}

std::vector<std::string> SingleFile::Becomes(const std::string& name) const {
  std::vector<std::string> result;
  for (const StabilityTensor& tensor : FromStability(name, layout_))
    result.push_back(tensor.folder + "/" + tensor.name);
  return result;
}

std::vector<std::string> SingleFile::Unused() const {
  std::vector<std::string> unused;
  for (const std::string& name : weights_.Names()) {
    if (FromStability(name, layout_).empty() && !IsStabilitySpare(name)) unused.push_back(name);
  }
  return unused;
}

}  // namespace mvd
