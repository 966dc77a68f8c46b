// Normalisations and attention of the reference.
#include <algorithm>

#include "mvd/exec/reference_ops.h"

namespace mvd::reference {

// Statistics of each group over (H,W), or over (T,H,W) where the axis is temporal; biased variance, as
// PyTorch.
void GroupNorm(const Node& node, const Inputs& in, const Threads& threads, Tensor& out) {
  const auto& a = node.as<GroupNormAttrs>();
  const Dims x = DimsOf(in[0]->shape());
  const bool temporal = a.axis == Axis::kTemporal;
  const int64_t items = temporal ? x.b : x.frames();
  const int64_t pixels = x.tokens() / items, width = x.c / a.groups;
  const auto source = in[0]->f32(), gamma = in[1]->f32(), beta = in[2]->f32();
  ParallelFor(threads, items * a.groups, [&](int64_t job, int) {
    const int64_t item = job / a.groups, first = job % a.groups * width;
    const auto index = [&](int64_t p, int64_t c) { return size_t((item * pixels + p) * x.c + first + c); };
    double sum = 0, squares = 0;
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t c = 0; c < width; ++c) sum += source[index(p, c)];
    }
    const double mean = sum / double(pixels * width);
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t c = 0; c < width; ++c) squares += std::pow(source[index(p, c)] - mean, 2);
    }
    const double scale = 1 / std::sqrt(squares / double(pixels * width) + a.eps);
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t c = 0; c < width; ++c) {
        const double y =
            (source[index(p, c)] - mean) * scale * gamma[size_t(first + c)] + beta[size_t(first + c)];
        out.f32()[index(p, c)] = float(Activate(a.act, y));
      }
    }
  });
}

void LayerNorm(const Node& node, const Inputs& in, const Threads& threads, Tensor& out) {
  const Dims x = DimsOf(in[0]->shape());
  const auto gamma = in[1]->f32(), beta = in[2]->f32();
  ParallelFor(threads, x.tokens(), [&](int64_t row, int) {
    const auto values = in[0]->f32().subspan(size_t(row * x.c), size_t(x.c));
    double sum = 0, squares = 0;
    for (float v : values) sum += v;
    const double mean = sum / double(x.c);
    for (float v : values) squares += (v - mean) * (v - mean);
    const double scale = 1 / std::sqrt(squares / double(x.c) + node.as<LayerNormAttrs>().eps);
    for (size_t c = 0; c < size_t(x.c); ++c) {
      out.f32()[size_t(row * x.c) + c] = float((values[c] - mean) * scale * gamma[c] + beta[c]);
    }
  });
}

namespace {

// Where token `i` of group `g` lies: groups are (B,T) with tokens (H,W), or (B,H,W) with tokens T.
struct Tokens {
  Dims d;
  bool spatial;

  int64_t count() const { return spatial ? d.h * d.w : d.t; }
  int64_t Row(int64_t group, int64_t i) const {
    if (spatial) return group * d.h * d.w + i;
    const int64_t pixels = d.h * d.w;
    return (group / pixels * d.t + i) * pixels + group % pixels;
  }
};

}  // namespace

void Attention(const Node& node, const Inputs& in, const Threads& threads, Tensor& out) {
  const auto& a = node.as<AttentionAttrs>();
  const bool spatial = a.axis == Axis::kSpatial;
  const Tokens q{DimsOf(in[0]->shape()), spatial}, k{DimsOf(in[1]->shape()), spatial},
      v{DimsOf(in[2]->shape()), spatial};
  const int64_t groups = spatial ? q.d.frames() : q.d.b * q.d.h * q.d.w;
  const int64_t width = q.d.c / a.heads, out_width = v.d.c / a.heads;
  const auto queries = in[0]->f32(), keys = in[1]->f32(), values = in[2]->f32();
  ParallelFor(threads, groups * a.heads, [&](int64_t job, int) {
    const int64_t group = job / a.heads, head = job % a.heads;
    std::vector<double> score(size_t(k.count()));
    for (int64_t i = 0; i < q.count(); ++i) {
      const float* query = &queries[size_t(q.Row(group, i) * q.d.c + head * width)];
      double top = -INFINITY, sum = 0;
      for (int64_t j = 0; j < k.count(); ++j) {
        const float* key = &keys[size_t(k.Row(group, j) * k.d.c + head * width)];
        double dot = 0;
        for (int64_t c = 0; c < width; ++c) dot += double(query[c]) * key[c];
        score[size_t(j)] = dot * a.scale;
        top = std::max(top, score[size_t(j)]);
      }
      for (double& s : score) sum += s = std::exp(s - top);
      for (int64_t c = 0; c < out_width; ++c) {
        double mix = 0;
        for (int64_t j = 0; j < k.count(); ++j) {
          mix += score[size_t(j)] * values[size_t(v.Row(group, j) * v.d.c + head * out_width + c)];
        }
        out.f32()[size_t(q.Row(group, i) * v.d.c + head * out_width + c)] = float(mix / sum);
      }
    }
  });
}

}  // namespace mvd::reference
