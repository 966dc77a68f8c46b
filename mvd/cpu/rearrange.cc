// Ops that move elements without changing them: copies of runs that lie together.
#include <bit>
#include <cstring>

#include "mvd/cpu/program.h"

namespace mvd::cpu {
namespace {

// Elements inside one index of `axis`, and the number of indices before it.
int64_t Inside(const Shape& shape, int axis) {
  int64_t n = 1;
  for (int i = axis; i < 5; ++i) n *= shape[i];
  return n;
}

Shape Full(const Dims& d) { return {d.b, d.t, d.h, d.w, d.c}; }

// Copies one run of elements, f32 to bf16 or back where the types differ.
void CopyRun(const kernels::KernelTable& table, DType from, const char* source, DType to, char* target,
             int64_t n) {
  if (from == to) {
    std::memcpy(target, source, size_t(n) * SizeOf(to));
  } else if (to == DType::kBF16) {
    table.to_bf16(reinterpret_cast<const float*>(source), n, reinterpret_cast<kernels::BF16Bits*>(target));
  } else {
    table.to_f32(reinterpret_cast<const kernels::BF16Bits*>(source), n, reinterpret_cast<float*>(target));
  }
}

// Runs of elements that lie together in both tensors: the i-th goes from source + i * source_step elements to
// target + i * target_step elements.
struct Runs {
  int64_t count, elements, source_step, target_step;
};

Step CopyRuns(Program& program, ValueId id, const Runs& runs, DType from, const char* source, char* target) {
  const DType to = program.type(id);
  const int64_t piece = std::max<int64_t>(1, kElementsPerItem / runs.elements);
  const int64_t source_bytes = runs.source_step * int64_t(SizeOf(from));
  const int64_t target_bytes = runs.target_step * int64_t(SizeOf(to));
  return {id, [=, &program] {
            ForPieces(program, runs.count, piece, [&](int64_t first, int64_t count, int) {
              for (int64_t i = first; i < first + count; ++i) {
                CopyRun(program.table(), from, source + i * source_bytes, to, target + i * target_bytes,
                        runs.elements);
              }
            });
          }};
}

Step MakeConcat(Program& program, ValueId id) {
  const Node& node = program.node(id);
  const int axis = int(node.as<AxisAttrs>().axis);
  const Shape out = Full(program.dims(id));
  const int64_t target_step = Inside(out, axis);
  std::vector<Step> parts;
  char* target = program.at<char>(id);
  for (ValueId input : node.inputs) {
    const int64_t elements = Inside(Full(program.dims(input)), axis);
    const Runs runs{out.elements() / target_step, elements, elements, target_step};
    parts.push_back(CopyRuns(program, id, runs, program.type(input), program.at<char>(input), target));
    target += elements * int64_t(SizeOf(program.type(id)));
  }
  return {id, [parts = std::move(parts)] {
            for (const Step& part : parts) part.run();
          }};
}

Step MakeSlice(Program& program, ValueId id) {
  const Node& node = program.node(id);
  const auto& a = node.as<SliceAttrs>();
  const int axis = int(a.axis);
  const Shape in = Full(program.dims(node.inputs[0])), out = Full(program.dims(id));
  const int64_t elements = Inside(out, axis), step = Inside(in, axis);
  const DType from = program.type(node.inputs[0]);
  const char* source = program.at<char>(node.inputs[0]) + a.start * (step / in[axis]) * int64_t(SizeOf(from));
  return CopyRuns(program, id, {out.elements() / elements, elements, step, elements}, from, source,
                  program.at<char>(id));
}

// Expand and ResizeNearest: each output token is a copy of one input token. Mixed types convert on the way.
Step MakeGather(Program& program, ValueId id,
                const std::function<int64_t(int64_t, int64_t, int64_t, int64_t)>& from) {
  const Node& node = program.node(id);
  const Dims y = program.dims(id), x = program.dims(node.inputs[0]);
  if (x.c != y.c) return MakeByReference(program, id);
  const DType in_type = program.type(node.inputs[0]), out_type = program.type(id);
  const char* source = program.at<char>(node.inputs[0]);
  char* target = program.at<char>(id);
  const auto rows = std::make_shared<std::vector<int32_t>>();
  for (int64_t b = 0; b < y.b; ++b) {
    for (int64_t t = 0; t < y.t; ++t) {
      for (int64_t h = 0; h < y.h; ++h) {
        for (int64_t w = 0; w < y.w; ++w) rows->push_back(int32_t(from(b, t, h, w)));
      }
    }
  }
  const size_t in_bytes = size_t(x.c) * SizeOf(in_type), out_bytes = size_t(x.c) * SizeOf(out_type);
  return {id, [=, &program] {
            ForPieces(program, int64_t(rows->size()), std::max<int64_t>(1, kElementsPerItem / x.c),
                      [&](int64_t first, int64_t count, int) {
                        for (int64_t i = first; i < first + count; ++i) {
                          const char* row = source + size_t((*rows)[size_t(i)]) * in_bytes;
                          CopyRun(program.table(), in_type, row, out_type, target + size_t(i) * out_bytes,
                                  x.c);
                        }
                      });
          }};
}

// The largest of each window, token by token. Both types alike; a mixture goes by the reference.
template <class E>
Step MakePool(Program& program, ValueId id) {
  const auto a = program.node(id).as<PoolAttrs>();
  const Dims x = program.dims(program.node(id).inputs[0]), y = program.dims(id);
  const E* source = program.at<E>(program.node(id).inputs[0]);
  E* target = program.at<E>(id);
  const auto value = [](E e) {
    if constexpr (std::is_same_v<E, float>)
      return e;
    else
      return std::bit_cast<float>(uint32_t(e) << 16);  // bf16 is the upper half
  };
  const auto pool = [=](int64_t token) {
    const int64_t w = token % y.w, h = token / y.w % y.h, t = token / (y.w * y.h) % y.t,
                  b = token / (y.w * y.h * y.t);
    E* out = target + token * y.c;
    bool first = true;
    for (int64_t i = t * a.frames; i < std::min(x.t, (t + 1) * a.frames); ++i) {
      for (int64_t j = h * a.height; j < std::min(x.h, (h + 1) * a.height); ++j) {
        for (int64_t k = w * a.width; k < std::min(x.w, (w + 1) * a.width); ++k, first = false) {
          const E* in = source + (((b * x.t + i) * x.h + j) * x.w + k) * x.c;
          for (int64_t c = 0; c < y.c; ++c) out[c] = first || value(in[c]) > value(out[c]) ? in[c] : out[c];
        }
      }
    }
  };
  return {id, [=, &program] {
            ForPieces(program, y.tokens(), std::max<int64_t>(1, kElementsPerItem / y.c),
                      [&](int64_t token, int64_t count, int) {
                        for (const int64_t end = token + count; token < end; ++token) pool(token);
                      });
          }};
}

}  // namespace

Step MakeRearrange(Program& program, ValueId id) {
  const Node& node = program.node(id);
  switch (node.op) {
    case Op::kConcat:
      return MakeConcat(program, id);
    case Op::kSlice:
      return MakeSlice(program, id);
    case Op::kReshape:
      return {id, [] {}};  // the planner gives it its input's bytes
    case Op::kExpand: {
      const Dims x = program.dims(node.inputs[0]);
      const auto clip = [](int64_t i, int64_t n) { return n == 1 ? 0 : i; };
      return MakeGather(program, id, [=](int64_t b, int64_t t, int64_t h, int64_t w) {
        return ((clip(b, x.b) * x.t + clip(t, x.t)) * x.h + clip(h, x.h)) * x.w + clip(w, x.w);
      });
    }
    case Op::kResizeNearest: {
      const Dims x = program.dims(node.inputs[0]), y = program.dims(id);
      return MakeGather(program, id, [=](int64_t b, int64_t t, int64_t h, int64_t w) {
        return ((b * x.t + t * x.t / y.t) * x.h + h * x.h / y.h) * x.w + w * x.w / y.w;
      });
    }
    case Op::kMaxPool:
      if (program.type(node.inputs[0]) != program.type(id)) return MakeByReference(program, id);
      return WithType(program.type(id), [&]<class E>(E) { return MakePool<E>(program, id); });
    default:
      break;
  }
  MVD_CHECK(false, Name(node.op), " does not rearrange");
  return {};
}

}  // namespace mvd::cpu
