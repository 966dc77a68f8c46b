// Ops that touch each element once, and the tiny ones that make embeddings.
#include <cmath>

#include "mvd/cpu/program.h"

namespace mvd::cpu {
namespace {

// Runs body(first, count) over all elements of the output.
template <class F>
Step Elementwise(Program& program, ValueId id, F body) {
  const int64_t n = program.graph.shape(id).elements();
  return {id, [=, &program] { ForPieces(program, n, kElementsPerItem, body); }};
}

template <class E, class O>
Step MakeBlend(Program& program, ValueId id) {
  const Node& node = program.node(id);
  const double sigmoid = 1 / (1 + std::exp(-double(program.ConstantF32(node.inputs[2]).f32()[0])));
  const float share = float(node.as<BlendAttrs>().swapped ? sigmoid : 1 - sigmoid);
  const bool gated = node.inputs.size() > 3 && node.inputs[3] != kNoValue;
  const float* gate = gated ? program.at<float>(node.inputs[3]) : nullptr;
  const E *s = program.at<E>(node.inputs[0]), *r = program.at<E>(node.inputs[1]);
  O* y = program.at<O>(id);
  const auto blend = Choose<E, O>(kernels::Typed<E>(program.table()).blend, program.table().narrowing.blend);
  return Elementwise(program, id, [=](int64_t i, int64_t n, int) {
    blend(s + i, r + i, 1 - share * (gate ? *gate : 1), n, y + i);
  });
}

template <class E, class O>
Step MakeActivation(Program& program, ValueId id) {
  const Node& node = program.node(id);
  const E* x = program.at<E>(node.inputs[0]);
  O* y = program.at<O>(id);
  const auto act = KernelActivation(node.as<ActivationAttrs>().act);
  const auto activate =
      Choose<E, O>(kernels::Typed<E>(program.table()).activate, program.table().narrowing.activate);
  return Elementwise(program, id, [=](int64_t i, int64_t n, int) { activate(x + i, n, act, y + i); });
}

// The smaller operand of an addition: how often each of its rows of C repeats. Adds go row by row of the
// larger.
template <class E>
Step MakeAddRows(Program& program, ValueId id, ValueId big, ValueId small) {
  const Dims d = program.dims(id), s = program.dims(small);
  const bool vector_f32 = program.type(small) == DType::kF32;
  const E* a = program.at<E>(big);
  E* y = program.at<E>(id);
  const char* rows = program.at<char>(small);
  const auto& table = program.table();
  const auto& k = kernels::Typed<E>(table);
  program.scratch.Need(d.c * 4);
  // Index of the small operand's row for one of the output's rows.
  const auto small_row = [=](int64_t row) {
    const int64_t x = row % d.w, h = row / d.w % d.h, t = row / (d.w * d.h) % d.t,
                  b = row / (d.w * d.h * d.t);
    const auto clip = [](int64_t i, int64_t n) { return n == 1 ? 0 : i; };
    return ((clip(b, s.b) * s.t + clip(t, s.t)) * s.h + clip(h, s.h)) * s.w + clip(x, s.w);
  };
  // Rows in a run share one row of the small operand.
  const int64_t run = s.w > 1   ? 1
                      : s.h > 1 ? d.w
                      : s.t > 1 ? d.w * d.h
                      : s.b > 1 ? d.w * d.h * d.t
                                : d.tokens();
  const int64_t piece = std::min(run, std::max<int64_t>(1, kElementsPerItem / d.c));
  const int64_t pieces = (run + piece - 1) / piece;
  return {id, [=, &program, &table, &k] {
            ParallelFor(program.options.threads, d.tokens() / run * pieces, [&](int64_t i, int thread) {
              const int64_t first = i / pieces * run + i % pieces * piece;
              const int64_t count = std::min(piece, run - i % pieces * piece);
              const int64_t at = small_row(first) * d.c;
              const float* row = reinterpret_cast<const float*>(rows) + at;
              if (!vector_f32) {
                float* copy = static_cast<float*>(program.scratch.At(thread));
                table.to_f32(reinterpret_cast<const kernels::BF16Bits*>(rows) + at, d.c, copy);
                row = copy;
              }
              k.add_row(a + first * d.c, row, count, d.c, y + first * d.c);
            });
          }};
}

template <class E>
Step MakeAdd(Program& program, ValueId id) {
  const Node& node = program.node(id);
  const ValueId a = node.inputs[0], b = node.inputs[1];
  const int64_t n = program.graph.shape(id).elements();
  const bool a_big = program.graph.shape(a).elements() == n, b_big = program.graph.shape(b).elements() == n;
  const auto channels = [&](ValueId x) { return program.dims(x).c == program.dims(id).c; };
  if (!(a_big || b_big) || !channels(a) || !channels(b)) return MakeByReference(program, id);
  if (a_big && b_big && program.type(a) == program.type(id) && program.type(b) == program.type(id)) {
    const E *x = program.at<E>(a), *z = program.at<E>(b);
    E* y = program.at<E>(id);
    const auto& k = kernels::Typed<E>(program.table());
    return Elementwise(program, id, [=, &k](int64_t i, int64_t c, int) { k.add(x + i, z + i, c, y + i); });
  }
  const bool a_typed = a_big && program.type(a) == program.type(id);
  return MakeAddRows<E>(program, id, a_typed ? a : b, a_typed ? b : a);
}

// Lowering's conversions: an Affine of scale 1 between two types.
Step MakeCast(Program& program, ValueId id) {
  const Node& node = program.node(id);
  MVD_CHECK(node.op == Op::kAffine && node.as<AffineAttrs>().scale == 1 && node.as<AffineAttrs>().shift == 0,
            node.name, ": only a plain copy changes the type");
  const bool to_f32 = program.type(id) == DType::kF32;
  const char* x = program.at<char>(node.inputs[0]);
  char* y = program.at<char>(id);
  const auto& table = program.table();
  const int64_t n = program.graph.shape(id).elements();
  return {id, [=, &program, &table] {
            ForPieces(program, n, kElementsPerItem, [&](int64_t i, int64_t count, int) {
              if (to_f32) {
                table.to_f32(reinterpret_cast<const kernels::BF16Bits*>(x) + i, count,
                             reinterpret_cast<float*>(y) + i);
              } else {
                table.to_bf16(reinterpret_cast<const float*>(x) + i, count,
                              reinterpret_cast<kernels::BF16Bits*>(y) + i);
              }
            });
          }};
}

template <class E>
Step MakeMap(Program& program, ValueId id) {
  const Node& node = program.node(id);
  const E* x = program.at<E>(node.inputs[0]);
  E* y = program.at<E>(id);
  const auto& k = kernels::Typed<E>(program.table());
  if (node.op == Op::kAffine) {
    const float scale = float(node.as<AffineAttrs>().scale), shift = float(node.as<AffineAttrs>().shift);
    return Elementwise(program, id,
                       [=, &k](int64_t i, int64_t n, int) { k.affine(x + i, n, scale, shift, y + i); });
  }
  if (node.op == Op::kGeglu) {
    const Dims d = program.dims(id);
    return {id, [=, &program, &k] {
              ForPieces(program, d.tokens(), std::max<int64_t>(1, kElementsPerItem / d.c),
                        [&](int64_t row, int64_t rows, int) {
                          k.geglu(x + row * 2 * d.c, rows, d.c, y + row * d.c);
                        });
            }};
  }
  MVD_CHECK(false, node.name, ": no kernel");
  return {};
}

// The angle is formed in f32, as ops.def's definition (the reference) has it.
Step MakeTimestep(Program& program, ValueId id) {
  const Node& node = program.node(id);
  const int64_t dim = node.as<TimestepAttrs>().dim, half = dim / 2,
                n = program.graph.shape(node.inputs[0]).elements();
  const float* x = program.at<float>(node.inputs[0]);
  float* y = program.at<float>(id);
  return {id, [=] {
            for (int64_t i = 0; i < n * half; ++i) {
              const float angle = x[i / half] * std::exp(-std::log(10000.0f) * float(i % half) / float(half));
              y[i / half * dim + i % half] = std::cos(angle);
              y[i / half * dim + half + i % half] = std::sin(angle);
            }
          }};
}

}  // namespace

Step MakePointwise(Program& program, ValueId id) {
  const Node& node = program.node(id);
  if (node.op == Op::kTimestep) return MakeTimestep(program, id);
  if (node.op == Op::kFrameIndices) {
    float* y = program.at<float>(id);
    const int64_t frames = node.as<FrameAttrs>().frames;
    return {id, [=] {
              for (int64_t i = 0; i < frames; ++i) y[i] = float(i);
            }};
  }
  const DType in = program.type(node.inputs[0]), out = program.type(id);
  if (node.op == Op::kBlend) {
    return WithTypes(in, out, [&]<class E, class O>(E, O) { return MakeBlend<E, O>(program, id); });
  }
  if (node.op == Op::kActivation) {
    return WithTypes(in, out, [&]<class E, class O>(E, O) { return MakeActivation<E, O>(program, id); });
  }
  if (node.op == Op::kMultiply) return MakeMultiply(program, id);
  if (node.op == Op::kAdd) return WithType(out, [&]<class E>(E) { return MakeAdd<E>(program, id); });
  if (in != out) return MakeCast(program, id);
  return WithType(out, [&]<class E>(E) { return MakeMap<E>(program, id); });
}

}  // namespace mvd::cpu
