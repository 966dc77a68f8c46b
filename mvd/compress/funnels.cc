#include "mvd/compress/funnels.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "mvd/base/error.h"
#include "mvd/base/rng.h"
#include "mvd/compress/coupled_svd.h"
#include "mvd/models/blocks.h"
#include "mvd/models/unet_layout.h"

namespace mvd {
namespace {

using Eigen::MatrixXd;

[[noreturn]] void ThrowShape(const LayerWeight& w, const std::string& expected) {
  ThrowBadInput(w.file, "tensor '", w.name, "' has shape ", w.value.shape, ", expected ", expected);
}

// In f32, checked: every size at least 1, every number finite.
Tensor Read(const LayerWeight& w) {
  for (int64_t d : w.value.shape.dims()) {
    if (d < 1) ThrowShape(w, "at least one element");
  }
  Tensor tensor = ConvertTo(w.value, DType::kF32);
  const std::span<const float> values = std::as_const(tensor).f32();
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i]))
      ThrowBadInput(w.file, "tensor '", w.name, "' has ", values[i], " at element ", i,
                    ", expected finite numbers");
  }
  return tensor;
}

void CheckMatrix(const LayerWeight& w) {
  if (w.value.shape.rank() != 2) ThrowShape(w, "a matrix (out,in)");
}

// Elements behind the first `axes` axes.
int64_t Rest(const Shape& shape, int axes) {
  int64_t n = 1;
  for (int i = axes; i < shape.rank(); ++i) n *= shape[i];
  return n;
}

// Rows [begin, begin+count) of a (rows, ...) weight as columns: (..., count).
MatrixXd RowsAsColumns(const Tensor& weight, int64_t begin, int64_t count) {
  const int64_t columns = Rest(weight.shape(), 1);
  const float* data = weight.f32().data() + begin * columns;
  return Eigen::Map<const Eigen::MatrixXf>(data, columns, count).cast<double>();
}

// Input channels [begin, begin+count) of an (out, in, k...) weight: (out * k, count), the reshape of A2.
MatrixXd InputChannels(const Tensor& weight, int64_t begin, int64_t count) {
  const int64_t out = weight.shape()[0], in = weight.shape()[1], taps = Rest(weight.shape(), 2);
  const float* data = weight.f32().data();
  MatrixXd result(out * taps, count);
  for (int64_t c = 0; c < count; ++c) {
    for (int64_t o = 0; o < out; ++o) {
      for (int64_t k = 0; k < taps; ++k) result(o * taps + k, c) = data[(o * in + begin + c) * taps + k];
    }
  }
  return result;
}

// Row-major into head `head` of a (heads, rows, columns) tensor.
void Store(const MatrixXd& m, Tensor& tensor, int64_t head) {
  float* data = tensor.f32().data() + head * m.size();
  for (Eigen::Index r = 0; r < m.rows(); ++r) {
    for (Eigen::Index c = 0; c < m.cols(); ++c) data[r * m.cols() + c] = float(m(r, c));
  }
}

MatrixXd HeadOf(const TensorView& tensor, int64_t head) {
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const int64_t rows = tensor.shape[1], columns = tensor.shape[2];
  return Eigen::Map<const RowMajor>(tensor.f32().data() + head * rows * columns, rows, columns)
      .cast<double>();
}

Tensor Matrix(const MatrixXd& m) {
  Tensor tensor({m.rows(), m.cols()});
  Store(m, tensor, 0);
  return tensor;
}

void CheckHeads(const LayerWeight& w, int64_t channels, int64_t heads) {
  MVD_CHECK_GE(heads, 1);
  if (channels % heads != 0) ThrowShape(w, StrCat("channels that ", heads, " heads divide"));
}

void Append(const Eigen::VectorXd& values, std::vector<double>& to) {
  to.insert(to.end(), values.begin(), values.end());
}

}  // namespace

Funnels QueryKeyFunnels(const LayerWeight& query, const LayerWeight& key, int64_t heads, double factor) {
  CheckMatrix(query);
  CheckMatrix(key);
  const int64_t inner = query.value.shape[0];
  CheckHeads(query, inner, heads);
  if (key.value.shape[0] != inner) ThrowShape(key, StrCat("(", inner, ",in) as '", query.name, "' has"));
  const Tensor wq = Read(query), wk = Read(key);
  const int64_t d = inner / heads, width = FunnelWidth(d, factor);
  Funnels funnels{Tensor({heads, width, d}), Tensor({heads, width, d}), {}};
  for (int64_t h = 0; h < heads; ++h) {
    const Coupled pair = CoupledSvd(RowsAsColumns(wq, h * d, d), RowsAsColumns(wk, h * d, d), width);
    Store(pair.left.transpose(), funnels.first, h);
    Store(pair.right.transpose(), funnels.second, h);
    Append(pair.singular_values, funnels.singular_values);
  }
  return funnels;
}

Funnels ValueOutputFunnels(const LayerWeight& value, const LayerWeight& output, int64_t heads,
                           double factor) {
  CheckMatrix(value);
  CheckMatrix(output);
  const int64_t inner = value.value.shape[0];
  CheckHeads(value, inner, heads);
  if (output.value.shape[1] != inner)
    ThrowShape(output, StrCat("(out,", inner, ") behind '", value.name, "'"));
  const Tensor wv = Read(value), wo = Read(output);
  const int64_t d = inner / heads, width = FunnelWidth(d, factor);
  Funnels funnels{Tensor({heads, width, d}), Tensor({heads, d, width}), {}};
  for (int64_t h = 0; h < heads; ++h) {
    const Coupled pair = CoupledSvd(RowsAsColumns(wv, h * d, d), InputChannels(wo, h * d, d), width);
    Store(pair.left.transpose(), funnels.first, h);
    Store(pair.right, funnels.second, h);
    Append(pair.singular_values, funnels.singular_values);
  }
  return funnels;
}

Funnels ConvFunnels(const LayerWeight& conv1, const LayerWeight& conv2, double factor) {
  for (const LayerWeight* w : {&conv1, &conv2}) {
    const int rank = w->value.shape.rank();
    if (rank != 4 && rank != 5) ThrowShape(*w, "a convolution (out,in,kh,kw) or (out,in,kt,kh,kw)");
  }
  const int64_t c = conv1.value.shape[0];
  if (c % kNormGroups != 0) ThrowShape(conv1, StrCat("output channels a multiple of ", kNormGroups));
  if (conv2.value.shape[1] != c)
    ThrowShape(conv2, StrCat(c, " input channels, as many as '", conv1.name, "' gives"));
  const Tensor w1 = Read(conv1), w2 = Read(conv2);
  const int64_t width = ConvFunnelWidth(c, factor);
  Funnels funnels{Tensor({1, width, c}), Tensor({1, c, width}), {}};
  const Coupled pair = CoupledSvd(RowsAsColumns(w1, 0, c), InputChannels(w2, 0, c), width);
  Store(pair.left.transpose(), funnels.first, 0);
  Store(pair.right, funnels.second, 0);
  Append(pair.singular_values, funnels.singular_values);
  return funnels;
}

Tensor HeFunnel(const Shape& shape, uint64_t seed, uint64_t stream) {
  Tensor funnel(shape);
  PhiloxNormal(seed, stream, 0, funnel.f32());
  const float deviation = float(std::sqrt(2.0 / double(shape[-1])));
  for (float& x : funnel.f32()) x *= deviation;
  return funnel;
}

Tensor MergeBehind(const TensorView& funnel, const TensorView& weight) {
  MVD_CHECK_EQ(funnel.shape.rank(), 3);
  const int64_t heads = funnel.shape[0], width = funnel.shape[1], d = funnel.shape[2];
  MVD_CHECK_EQ(weight.shape[0], heads * d);
  const Tensor w = ConvertTo(weight, DType::kF32);
  Shape shape = weight.shape;
  shape[0] = heads * width;
  Tensor merged(shape);
  for (int64_t h = 0; h < heads; ++h)
    Store(HeadOf(funnel, h) * RowsAsColumns(w, h * d, d).transpose(), merged, h);
  return merged;
}

Tensor MergeBefore(const TensorView& weight, const TensorView& funnel) {
  MVD_CHECK_EQ(funnel.shape.rank(), 3);
  const int64_t heads = funnel.shape[0], d = funnel.shape[1], width = funnel.shape[2];
  MVD_CHECK_EQ(weight.shape[1], heads * d);
  const Tensor w = ConvertTo(weight, DType::kF32);
  const int64_t out = weight.shape[0], taps = Rest(weight.shape, 2);
  Shape shape = weight.shape;
  shape[1] = heads * width;
  Tensor merged(shape);
  float* data = merged.f32().data();
  for (int64_t h = 0; h < heads; ++h) {
    const MatrixXd product = InputChannels(w, h * d, d) * HeadOf(funnel, h);  // (out * taps, width)
    for (int64_t o = 0; o < out; ++o) {
      for (int64_t c = 0; c < width; ++c) {
        float* to = data + (o * heads * width + h * width + c) * taps;
        for (int64_t k = 0; k < taps; ++k) to[k] = float(product(o * taps + k, c));
      }
    }
  }
  return merged;
}

LowRank LowRankFactors(const LayerWeight& layer, int64_t rank) {
  CheckMatrix(layer);
  const int64_t most = std::min(layer.value.shape[0], layer.value.shape[1]);
  if (rank < 1 || rank > most)
    ThrowUsage("rank is ", rank, ", expected 1 to ", most, " for tensor '", layer.name, "' of shape ",
               layer.value.shape);
  const Tensor w = Read(layer);
  const Factors factors = TruncatedSvd(RowsAsColumns(w, 0, w.shape()[0]).transpose(), rank);
  LowRank result{Matrix(factors.down), Matrix(factors.up), {}};
  Append(factors.singular_values, result.singular_values);
  return result;
}

}  // namespace mvd
