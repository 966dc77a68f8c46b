// Where an executor gets weights from: a model folder, a seeded generator, a map in a test.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "mvd/base/error.h"
#include "mvd/base/tensor.h"

namespace mvd {

struct TensorInfo {
  DType dtype = DType::kF32;
  Shape shape;
};

class WeightSource {
 public:
  virtual ~WeightSource() = default;
  // The folder or file, for messages.
  virtual std::string Origin() const = 0;
  // Type and shape in the file, or nothing where the tensor is absent.
  virtual std::optional<TensorInfo> Find(const std::string& name) const = 0;
  // The data, valid until Release(name). Throws Error(kBadInput) naming origin and tensor where it is absent.
  virtual TensorView Get(const std::string& name) = 0;
  // The caller has its own copy now: pages may be dropped.
  virtual void Release(const std::string& name) = 0;
};

// Weights held in memory, for tests and for what a program has computed itself.
class MapWeights : public WeightSource {
 public:
  std::string Origin() const override { return "memory"; }
  void Set(const std::string& name, Tensor tensor) { tensors_[name] = std::move(tensor); }
  std::optional<TensorInfo> Find(const std::string& name) const override {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) return std::nullopt;
    return TensorInfo{found->second.dtype(), found->second.shape()};
  }
  TensorView Get(const std::string& name) override {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) ThrowBadInput(Origin(), "tensor '", name, "' is missing");
    return found->second.view();
  }
  void Release(const std::string&) override {}

 private:
  std::map<std::string, Tensor> tensors_;
};

}  // namespace mvd
