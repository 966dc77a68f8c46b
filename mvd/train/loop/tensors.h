// Conversions between the program's tensors and ATen's, and small functions on maps of parameters.
#pragma once

#include <string>

#include "mvd/base/tensor.h"
#include "mvd/torch/torch_graph.h"
#include "mvd/train/checkpoint.h"

namespace mvd {

at::Tensor ToTorch(const TensorView& view);   // a copy, f32 on the CPU
Tensor FromTorch(const at::Tensor& tensor);   // a copy, f32
TensorView ViewOf(const at::Tensor& tensor);  // borrowed; contiguous f32 on the CPU
// Bytes of any shape, on any device, as f32 in [-1,1].
at::Tensor SignedBytes(const at::Tensor& bytes);
// Pixels (T,H,W,3) of bytes -> (T,1,H,W,3) in [-1,1].
at::Tensor SignedPixels(const uint8_t* pixels, int64_t frames, int64_t height, int64_t width);

// Entries whose name begins with `prefix`, without it; tensors are shared.
Parameters Without(const std::string& prefix, const Parameters& all);
void Insert(const std::string& prefix, const Parameters& part, Parameters& all);

// Copies of tensors on the CPU that views can borrow from, for a checkpoint.
TensorMap OnHost(const TensorMap& tensors);
TensorViews ViewsOf(const TensorMap& host);

// Overwrites `tensors` with those of a checkpoint; Error(kBadInput) naming `file` and the tensor where names
// or shapes differ.
void CopyInto(const std::map<std::string, Tensor>& stored, const std::string& file, const TensorMap& tensors);

// Call before the first tensor is made. Sets the number of threads (0: all; processes on one machine share
// them) and makes freed memory stay with the process: each step needs again what the last one freed, and
// getting the pages back from the system takes a fifth of a step.
void PrepareTorch(int64_t threads);

}  // namespace mvd
