// Attention: a job a (frame, head) where there are many keys; pieces of pixels where there are few, as over
// time.
#include "mvd/cpu/plan.h"
#include "mvd/cpu/program.h"

namespace mvd::cpu {
namespace {

// Addresses of one group of tokens: (H,W) of a frame, or T of a pixel.
struct Groups {
  Dims d;
  bool spatial;

  int64_t count() const { return spatial ? d.frames() : d.b * d.h * d.w; }
  int64_t tokens() const { return spatial ? d.h * d.w : d.t; }
  int64_t stride() const { return spatial ? d.c : d.h * d.w * d.c; }  // elements between tokens
  int64_t first(int64_t group) const {                                // element of the group's first token
    if (spatial) return group * d.h * d.w * d.c;
    const int64_t pixels = d.h * d.w;
    return (group / pixels * d.t * pixels + group % pixels) * d.c;
  }
};

template <class E>
Step Make(Program& program, ValueId id) {
  const Node& node = program.node(id);
  const auto& a = node.as<AttentionAttrs>();
  const bool spatial = a.axis == Axis::kSpatial;
  const Groups q{program.dims(node.inputs[0]), spatial}, k{program.dims(node.inputs[1]), spatial},
      v{program.dims(node.inputs[2]), spatial}, out{program.dims(id), spatial};
  kernels::AttentionJob<E> base{program.at<E>(node.inputs[0]),
                                program.at<E>(node.inputs[1]),
                                program.at<E>(node.inputs[2]),
                                program.at<E>(id),
                                q.tokens(),
                                k.tokens(),
                                q.d.c / a.heads,
                                v.d.c / a.heads,
                                q.stride(),
                                k.stride(),
                                v.stride(),
                                out.stride(),
                                float(a.scale),
                                nullptr};
  const auto& table = kernels::Typed<E>(program.table());
  const int64_t heads = a.heads;
  const auto job_of = [=](int64_t group, int64_t head) {
    kernels::AttentionJob<E> job = base;
    job.q += q.first(group) + head * base.width;
    job.k += k.first(group) + head * base.width;
    job.v += v.first(group) + head * base.value_width;
    job.out += out.first(group) + head * base.value_width;
    return job;
  };
  if (k.tokens() <= kernels::kFewKeys) {
    const int64_t piece = std::max<int64_t>(1, kElementsPerItem / (q.tokens() * q.d.c));
    return {id, [=, &program, &table] {
              ForPieces(program, q.count(), piece, [&](int64_t first, int64_t count, int) {
                for (int64_t group = first; group < first + count; ++group) {
                  for (int64_t head = 0; head < heads; ++head) table.attention_few(job_of(group, head));
                }
              });
            }};
  }
  program.scratch.Need(table.attention_scratch(base.queries, base.keys, base.width, base.value_width));
  return {id, [=, &program, &table] {
            ParallelFor(program.options.threads, q.count() * heads, [&](int64_t i, int thread) {
              kernels::AttentionJob<E> job = job_of(i / heads, i % heads);
              job.scratch = program.scratch.At(thread);
              table.attention(job);
            });
          }};
}

}  // namespace

Step MakeAttention(Program& program, ValueId id) {
  return WithType(program.type(id), [&]<class E>(E) { return Make<E>(program, id); });
}

int64_t AttentionScratch(const Lowered& lowered, ValueId id, const IsaLevel& isa) {
  const Node& node = lowered.graph.node(id);
  const auto& a = node.as<AttentionAttrs>();
  const bool spatial = a.axis == Axis::kSpatial;
  const Groups q{DimsOf(lowered.graph.shape(node.inputs[0])), spatial};
  const Groups k{DimsOf(lowered.graph.shape(node.inputs[1])), spatial};
  if (k.tokens() <= kernels::kFewKeys) return 0;
  return WithType(lowered.types[size_t(id)], [&]<class E>(E) {
    return kernels::Typed<E>(isa.kernels())
        .attention_scratch(q.tokens(), k.tokens(), q.d.c / a.heads, DimsOf(node.shape).c / a.heads);
  });
}

}  // namespace mvd::cpu
