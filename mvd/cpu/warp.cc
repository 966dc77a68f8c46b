// Warp: a picture read where a flow points, and Multiply, which scales flows. f32, one pass over the frame.
#include <algorithm>
#include <cmath>
#include <optional>

#include "mvd/cpu/program.h"

namespace mvd::cpu {
namespace {

// Where a row or column of the frame lies in a tensor of another size that fills the frame.
struct Tap {
  int32_t first = 0, second = 0;
  float share = 0;  // of the second
};

Tap TapAt(float at, int64_t size) {
  const float inside = at > 0 ? std::min(at, float(size - 1)) : 0;  // NaN reads the border, too
  const auto first = int32_t(inside);
  return {first, std::min(first + 1, int32_t(size - 1)), inside - float(first)};
}

std::vector<Tap> Taps(int64_t from, int64_t to) {
  std::vector<Tap> taps;
  for (int64_t i = 0; i < to; ++i) {
    const double at = (double(i) + 0.5) * double(from) / double(to) - 0.5;
    taps.push_back(TapAt(float(at), from));
  }
  return taps;
}

// A tensor (B,T,h,w,C) that is read at the frame's size.
struct Resized {
  Resized(const Program& program, ValueId id, const Dims& frame)
      : data(program.at<float>(id)),
        dims(program.dims(id)),
        rows(Taps(dims.h, frame.h)),
        columns(Taps(dims.w, frame.w)) {}

  // Both of its rows around row `y` of frame `bt`, mixed: w x C numbers.
  void MixRow(int64_t bt, int64_t y, float* out) const {
    const int64_t row = dims.w * dims.c;
    const Tap& tap = rows[size_t(y)];
    const float* a = data + (bt * dims.h + tap.first) * row;
    const float* b = data + (bt * dims.h + tap.second) * row;
    for (int64_t i = 0; i < row; ++i) out[i] = a[i] + tap.share * (b[i] - a[i]);
  }
  float At(const float* mixed, int64_t x, int64_t c) const {
    const Tap& tap = columns[size_t(x)];
    const float a = mixed[tap.first * dims.c + c], b = mixed[tap.second * dims.c + c];
    return a + tap.share * (b - a);
  }

  const float* data;
  Dims dims;
  std::vector<Tap> rows, columns;
};

struct WarpRow {
  const float* picture;  // (H,W,C) of this frame
  Dims frame;
  float diagonal;

  // Reads the picture at (x, y), pixel centres at whole numbers.
  template <class Put>
  void Read(float x, float y, const Put& put) const {
    const Tap h = TapAt(y, frame.h), w = TapAt(x, frame.w);
    const float* top = picture + int64_t(h.first) * frame.w * frame.c;
    const float* bottom = picture + int64_t(h.second) * frame.w * frame.c;
    const int64_t left = w.first * frame.c, right = w.second * frame.c;
    for (int64_t c = 0; c < frame.c; ++c) {
      const float a = top[left + c] + w.share * (top[right + c] - top[left + c]);
      const float b = bottom[left + c] + w.share * (bottom[right + c] - bottom[left + c]);
      put(c, a + h.share * (b - a));
    }
  }
};

bool Has(const Node& node, size_t i) { return node.input(i) != kNoValue; }

}  // namespace

Step MakeWarp(Program& program, ValueId id) {
  const Node& node = program.node(id);
  const Dims x = program.dims(node.inputs[0]), y = program.dims(id);
  const Resized flow(program, node.inputs[1], y);
  std::optional<Resized> weight, other;
  if (Has(node, 2)) weight.emplace(program, node.inputs[2], y);
  if (Has(node, 3)) other.emplace(program, node.inputs[3], y);
  const int64_t floats = flow.dims.w * 2 + (weight ? weight->dims.w : 0) + (other ? other->dims.w * y.c : 0);
  program.scratch.Need(4 * floats);
  const float* picture = program.at<float>(node.inputs[0]);
  float* target = program.at<float>(id);
  const auto diagonal = float(std::hypot(double(y.h), double(y.w)));
  const auto row = [=](int64_t index, float* scratch) {
    const int64_t line = index % y.h, bt = index / y.h;
    const WarpRow warp{picture + (x.t == 1 ? bt / y.t : bt) * x.h * x.w * x.c, y, diagonal};
    float *const flows = scratch, *const weights = flows + flow.dims.w * 2,
                 *const others = weights + (weight ? weight->dims.w : 0);
    flow.MixRow(bt, line, flows);
    if (weight) weight->MixRow(bt, line, weights);
    if (other) other->MixRow(bt, line, others);
    float* out = target + index * y.w * y.c;
    for (int64_t column = 0; column < y.w; ++column, out += y.c) {
      const float dx = flow.At(flows, column, 0) * diagonal, dy = flow.At(flows, column, 1) * diagonal;
      const float share = weight ? weight->At(weights, column, 0) : 1;
      warp.Read(float(column) + dx, float(line) + dy, [&](int64_t c, float there) {
        const float rest = other ? other->At(others, column, c) : 0;
        out[c] = rest + share * (there - rest);
      });
    }
  };
  return {id, [=, &program] {
            ParallelFor(program.options.threads, y.b * y.t * y.h, [&](int64_t index, int thread) {
              row(index, static_cast<float*>(program.scratch.At(thread)));
            });
          }};
}

Step MakeMultiply(Program& program, ValueId id) {
  const Node& node = program.node(id);
  const Dims y = program.dims(id), a = program.dims(node.inputs[0]), b = program.dims(node.inputs[1]);
  const float *first = program.at<float>(node.inputs[0]), *second = program.at<float>(node.inputs[1]);
  float* target = program.at<float>(id);
  // The offset of the operand's row for a token of the output, and its step from channel to channel.
  const auto row = [y](const Dims& d, int64_t token) {
    const auto clip = [](int64_t i, int64_t n) { return n == 1 ? 0 : i; };
    const int64_t w = token % y.w, h = token / y.w % y.h, t = token / (y.w * y.h) % y.t,
                  bt = token / (y.w * y.h * y.t);
    return (((clip(bt, d.b) * d.t + clip(t, d.t)) * d.h + clip(h, d.h)) * d.w + clip(w, d.w)) * d.c;
  };
  return {id, [=, &program] {
            ForPieces(program, y.tokens(), std::max<int64_t>(1, kElementsPerItem / y.c),
                      [&](int64_t token, int64_t count, int) {
                        for (const int64_t end = token + count; token < end; ++token) {
                          const float *p = first + row(a, token), *q = second + row(b, token);
                          float* out = target + token * y.c;
                          for (int64_t c = 0; c < y.c; ++c)
                            out[c] = p[a.c == 1 ? 0 : c] * q[b.c == 1 ? 0 : c];
                        }
                      });
          }};
}

}  // namespace mvd::cpu
