// GroupNorm (with its activation) and LayerNorm.
#include <cmath>

#include "mvd/cpu/program.h"

namespace mvd::cpu {

kernels::Activation KernelActivation(Act act) {
  switch (act) {
    case Act::kNone:
      return kernels::Activation::kNone;
    case Act::kSilu:
      return kernels::Activation::kSilu;
    case Act::kGelu:
      return kernels::Activation::kGelu;
    case Act::kQuickGelu:
      return kernels::Activation::kQuickGelu;
    case Act::kRelu:
      return kernels::Activation::kRelu;
    case Act::kTanh:
      return kernels::Activation::kTanh;
    case Act::kGeglu:
      break;
  }
  MVD_CHECK(false, "geglu is no function of one number");
  return {};
}

namespace {

// gamma and beta as f32 for the life of a step.
struct Affine {
  Tensor gamma, beta;
};

std::shared_ptr<Affine> LoadAffine(Program& program, const Node& node) {
  return std::make_shared<Affine>(
      Affine{program.ConstantF32(node.inputs[1]), program.ConstantF32(node.inputs[2])});
}

// One item of a group norm: a frame, or a whole clip where the statistics are temporal.
struct GroupNormShape {
  int64_t items, rows, channels, groups;  // rows of one item
  int64_t piece, pieces;                  // rows of one piece, pieces of one item
};

GroupNormShape ShapeOf(const Program& program, ValueId id) {
  const auto& a = program.node(id).as<GroupNormAttrs>();
  const Dims d = program.dims(id);
  GroupNormShape s{};
  s.items = a.axis == Axis::kTemporal ? d.b : d.frames();
  s.rows = d.tokens() / s.items;
  s.channels = d.c;
  s.groups = a.groups;
  s.piece = std::max<int64_t>(1, kElementsPerItem / 2 / d.c);
  s.pieces = (s.rows + s.piece - 1) / s.piece;
  return s;
}

// Chan's rule over the pieces of one item, in their order; then y = x * scale + shift for each channel.
void Combine(const GroupNormShape& s, const kernels::GroupStats* stats, const Affine& affine, double eps,
             float* scale, float* shift) {
  const int64_t width = s.channels / s.groups;
  for (int64_t g = 0; g < s.groups; ++g) {
    double count = 0, mean = 0, m2 = 0;
    for (int64_t p = 0; p < s.pieces; ++p) {
      const kernels::GroupStats& part = stats[p * s.groups + g];
      const double n = double(std::min(s.piece, s.rows - p * s.piece) * width), total = count + n;
      const double delta = part.mean - mean;
      mean += delta * n / total;
      m2 += part.m2 + delta * delta * count * n / total;
      count = total;
    }
    const double inverse = 1 / std::sqrt(m2 / count + eps);
    for (int64_t c = g * width; c < (g + 1) * width; ++c) {
      scale[c] = float(inverse * affine.gamma.f32()[size_t(c)]);
      shift[c] = float(affine.beta.f32()[size_t(c)] - mean * inverse * affine.gamma.f32()[size_t(c)]);
    }
  }
}

template <class E, class O>
Step MakeGroupNorm(Program& program, ValueId id) {
  const Node& node = program.node(id);
  const auto& a = node.as<GroupNormAttrs>();
  const GroupNormShape s = ShapeOf(program, id);
  const auto affine = LoadAffine(program, node);
  const E* x = program.at<E>(node.inputs[0]);
  O* y = program.at<O>(id);
  const auto& k = kernels::Typed<E>(program.table());
  const auto scale_shift = Choose<E, O>(k.scale_shift, program.table().narrowing.scale_shift);
  const auto act = KernelActivation(a.act);
  const double eps = a.eps;
  auto stats = std::make_shared<std::vector<kernels::GroupStats>>(size_t(s.items * s.pieces * s.groups));
  auto factors = std::make_shared<std::vector<float>>(size_t(2 * s.items * s.channels));
  return {
      id, [=, &program, &k] {
        const Threads& threads = program.options.threads;
        const auto first_row = [&](int64_t i) { return i / s.pieces * s.rows + i % s.pieces * s.piece; };
        const auto row_count = [&](int64_t i) { return std::min(s.piece, s.rows - i % s.pieces * s.piece); };
        ParallelFor(threads, s.items * s.pieces, [&](int64_t i, int) {
          k.group_stats(x + first_row(i) * s.channels, row_count(i), s.channels, s.groups,
                        &(*stats)[size_t(i * s.groups)]);
        });
        for (int64_t item = 0; item < s.items; ++item) {
          float* scale = factors->data() + 2 * item * s.channels;
          Combine(s, &(*stats)[size_t(item * s.pieces * s.groups)], *affine, eps, scale, scale + s.channels);
        }
        ParallelFor(threads, s.items * s.pieces, [&](int64_t i, int) {
          const float* scale = factors->data() + 2 * (i / s.pieces) * s.channels;
          const int64_t at = first_row(i) * s.channels;
          scale_shift(x + at, row_count(i), s.channels, scale, scale + s.channels, act, y + at);
        });
      }};
}

template <class E, class O>
Step MakeLayerNorm(Program& program, ValueId id) {
  const Node& node = program.node(id);
  const Dims d = program.dims(id);
  const auto affine = LoadAffine(program, node);
  const E* x = program.at<E>(node.inputs[0]);
  O* y = program.at<O>(id);
  const auto& k = kernels::Typed<E>(program.table());
  const auto layer_norm = Choose<E, O>(k.layer_norm, program.table().narrowing.layer_norm);
  const double eps = node.as<LayerNormAttrs>().eps;
  return {id, [=, &program] {
            ForPieces(program, d.tokens(), std::max<int64_t>(1, kElementsPerItem / d.c),
                      [&](int64_t first, int64_t rows, int) {
                        layer_norm(x + first * d.c, rows, d.c, affine->gamma.f32().data(),
                                   affine->beta.f32().data(), eps, y + first * d.c);
                      });
          }};
}

}  // namespace

Step MakeNorm(Program& program, ValueId id) {
  const bool group = program.node(id).op == Op::kGroupNorm;
  return WithTypes(program.type(program.node(id).inputs[0]), program.type(id), [&]<class E, class O>(E, O) {
    return group ? MakeGroupNorm<E, O>(program, id) : MakeLayerNorm<E, O>(program, id);
  });
}

}  // namespace mvd::cpu
