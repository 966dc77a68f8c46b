#include "mvd/train/loop/tensors.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <limits>

#include "mvd/base/error.h"
#include "mvd/base/parallel.h"
#include "mvd/base/thread_limits.h"

namespace mvd {

at::Tensor ToTorch(const TensorView& view) {
  Tensor converted = ConvertTo(view, DType::kF32);
  return at::from_blob(converted.data(), converted.shape().dims(), at::kFloat).clone();
}

Tensor FromTorch(const at::Tensor& tensor) {
  return ConvertTo(ViewOf(tensor.detach().to(at::kCPU, at::kFloat).contiguous()), DType::kF32);
}

TensorView ViewOf(const at::Tensor& tensor) {
  MVD_CHECK(tensor.is_contiguous() && tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat);
  return {DType::kF32, Shape(tensor.sizes().vec()), tensor.data_ptr<float>()};
}

at::Tensor SignedBytes(const at::Tensor& bytes) { return bytes.to(at::kFloat).mul_(2.0 / 255).sub_(1); }

at::Tensor SignedPixels(const uint8_t* pixels, int64_t frames, int64_t height, int64_t width) {
  const at::Tensor bytes =
      at::from_blob(const_cast<uint8_t*>(pixels), {frames, 1, height, width, 3}, at::kByte);
  return SignedBytes(bytes);
}

Parameters Without(const std::string& prefix, const Parameters& all) {
  Parameters part;
  for (auto it = all.lower_bound(prefix); it != all.end() && it->first.starts_with(prefix); ++it) {
    part.emplace(it->first.substr(prefix.size()), it->second);
  }
  return part;
}

void Insert(const std::string& prefix, const Parameters& part, Parameters& all) {
  for (const auto& [name, tensor] : part) all.emplace(prefix + name, tensor);
}

TensorMap OnHost(const TensorMap& tensors) {
  TensorMap host;
  for (const auto& [name, tensor] : tensors) host[name] = tensor.detach().to(at::kCPU).contiguous();
  return host;
}

TensorViews ViewsOf(const TensorMap& host) {
  TensorViews views;
  for (const auto& [name, tensor] : host) views[name] = ViewOf(tensor);
  return views;
}

void CopyInto(const std::map<std::string, Tensor>& stored, const std::string& file,
              const TensorMap& tensors) {
  const c10::NoGradGuard guard;
  for (const auto& [name, tensor] : tensors) {
    const auto found = stored.find(name);
    if (found == stored.end()) ThrowBadInput(file, "tensor '", name, "' is missing");
    if (found->second.shape() != Shape(tensor.sizes().vec())) {
      ThrowBadInput(file, "tensor '", name, "' has shape ", found->second.shape(), ", expected ",
                    Shape(tensor.sizes().vec()));
    }
    tensor.detach().copy_(ToTorch(found->second));
  }
  if (stored.size() != tensors.size())
    ThrowBadInput(file, "holds ", stored.size(), " tensors, expected ", tensors.size());
}

void PrepareTorch(int64_t threads) {
  at::set_num_threads(StartableThreads(threads > 0 ? int(threads) : HardwareThreads()));
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
}

}  // namespace mvd
