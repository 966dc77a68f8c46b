// Convolutions by oneDNN on channels-last activations. A temporal convolution is a two-dimensional one with a
// (kt,1) kernel over the "picture" (T, H*W): no frame is gathered or copied.
#include <optional>

#include "mvd/cpu/onednn.h"
#include "mvd/cpu/plan.h"
#include "mvd/cpu/winograd.h"

namespace mvd::cpu {
namespace {

using dnnl::memory;

// The convolution as oneDNN sees it.
struct Geometry {
  int64_t images, height, width, inputs;
  int64_t out_height, out_width, outputs;
  int64_t kernel_height, kernel_width;
  memory::dims stride, begin, end;
  Act act;
};

Geometry GeometryOf(const Graph& graph, ValueId id) {
  const Node& node = graph.node(id);
  const Dims x = DimsOf(graph.shape(node.inputs[0])), y = DimsOf(node.shape);
  const Shape& w = graph.shape(node.inputs[1]);
  if (node.op == Op::kConv2d) {
    const auto& a = node.as<Conv2dAttrs>();
    return {
        x.frames(),          x.h,  x.w, x.c, y.h, y.w, y.c, w[2], w[3], {a.stride, a.stride}, {a.top, a.left},
        {a.bottom, a.right}, a.act};
  }
  const int64_t pad = w[2] / 2;
  return {x.b,
          x.t,
          x.h * x.w,
          x.c,
          y.t,
          y.h * y.w,
          y.c,
          w[2],
          1,
          {1, 1},
          {pad, 0},
          {pad, 0},
          node.as<ConvAttrs>().act};
}

struct Convolution {
  dnnl::convolution_forward::primitive_desc desc;
  dnnl::convolution_forward primitive;
  memory weights;
  memory::desc residual;
};

struct ConvTypes {
  DType source, target;
  std::optional<DType> residual;
};

ConvTypes TypesOf(const Node& node, const std::vector<DType>& types, ValueId id) {
  const ValueId residual = node.input(3);
  return {types[size_t(node.inputs[0])], types[size_t(id)],
          residual == kNoValue ? std::nullopt : std::optional(types[size_t(residual)])};
}

// A bias that varies with the batch item: one call an item. So has a residual of one number an item: of a
// (n,1,1,1) operand oneDNN 2.6 adds the first number to all, below AVX-512.
int64_t CallsOf(const Graph& graph, ValueId id) {
  const Node& node = graph.node(id);
  const Dims y = DimsOf(node.shape);
  if (node.input(3) != kNoValue && y.c == 1 && y.tokens() == GeometryOf(graph, id).images) return y.tokens();
  return node.input(2) != kNoValue && graph.shape(node.input(2)).elements() > y.c ? y.b : 1;
}

memory::desc ResidualDesc(const Geometry& g, int64_t images, DType dtype) {
  return {{images, g.outputs, g.out_height, g.out_width}, DnnlType(dtype), memory::format_tag::nhwc};
}

dnnl::convolution_forward::primitive_desc Describe(const Geometry& g, int64_t images, const ConvTypes& types,
                                                   bool bias) {
  using Tag = memory::format_tag;
  using dnnl::convolution_forward;
  const auto type = DnnlType(types.source);
  const memory::desc source({images, g.inputs, g.height, g.width}, type, Tag::nhwc);
  const memory::desc target({images, g.outputs, g.out_height, g.out_width}, DnnlType(types.target),
                            Tag::nhwc);
  const memory::desc weights({g.outputs, g.inputs, g.kernel_height, g.kernel_width}, type, Tag::any);
  const memory::desc bias_desc({g.outputs}, memory::data_type::f32, Tag::x);
  memory::desc second;
  if (types.residual) second = ResidualDesc(g, images, *types.residual);
  dnnl::primitive_attr attr;
  attr.set_post_ops(Epilogue(g.act, types.residual ? &second : nullptr));
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const auto kind = dnnl::prop_kind::forward_inference;
  const auto algorithm = dnnl::algorithm::convolution_direct;
  const convolution_forward::desc desc =
      bias ? convolution_forward::desc(kind, algorithm, source, weights, bias_desc, target, g.stride, g.begin,
                                       g.end)
           : convolution_forward::desc(kind, algorithm, source, weights, target, g.stride, g.begin, g.end);
  return {desc, attr, Engine()};
}

bool IsLinear(const Graph& graph, ValueId id) {
  const Node& node = graph.node(id);
  if (node.op != Op::kConv2d) return false;
  const auto& a = node.as<Conv2dAttrs>();
  const Shape& w = graph.shape(node.inputs[1]);
  return w[2] == 1 && w[3] == 1 && a.stride == 1 && a.top + a.left + a.bottom + a.right == 0;
}

// The whole call may use all threads' scratch: it runs alone.
int64_t ScratchShare(const dnnl::convolution_forward::primitive_desc& desc, int threads) {
  return (int64_t(desc.scratchpad_desc().get_size()) + threads - 1) / threads;
}

}  // namespace

int64_t ConvScratch(const Lowered& lowered, ValueId id, const IsaLevel& isa, int threads) {
  const Node& node = lowered.graph.node(id);
  if (IsLinear(lowered.graph, id)) return 0;
  const ConvTypes types = TypesOf(node, lowered.types, id);
  if (UsesWinograd(lowered.graph, id, types.source, isa)) {
    return WinogradScratchBytes(lowered.graph, id, types.source, isa);
  }
  const ScopedThreads scoped(Threads{threads});
  const Geometry g = GeometryOf(lowered.graph, id);
  return ScratchShare(Describe(g, g.images / CallsOf(lowered.graph, id), types, node.input(2) != kNoValue),
                      threads);
}

Step MakeConv(Program& program, ValueId id) {
  if (IsLinear(program.graph, id)) return MakeLinear(program, id);
  if (UsesWinograd(program, id)) return MakeWinograd(program, id);
  const Node& node = program.node(id);
  const ScopedThreads threads(program.options.threads);
  const Geometry g = GeometryOf(program.graph, id);
  auto bias = std::make_shared<Bias>(MakeBias(program, node.input(2), g.outputs));
  const ValueId residual_id = node.input(3);
  const ConvTypes types = TypesOf(node, program.types, id);
  const int64_t calls = CallsOf(program.graph, id), images = g.images / calls;
  const auto desc = Describe(g, images, types, bias->data != nullptr);
  auto conv = std::make_shared<Convolution>(Convolution{desc, dnnl::convolution_forward(desc), {}, {}});
  if (types.residual) conv->residual = ResidualDesc(g, images, *types.residual);
  const Aligned weight = TakeWeight(program, node.inputs[1]);
  const memory::desc plain({g.outputs, g.inputs, g.kernel_height, g.kernel_width},
                           DnnlType(weight.view.dtype), memory::format_tag::oihw);
  conv->weights = Pack(weight.view, plain, conv->desc.weights_desc());
  ReleaseWeight(program, node.inputs[1]);
  program.weight_bytes += int64_t(conv->weights.get_desc().get_size());
  program.scratch.Need(ScratchShare(conv->desc, program.options.threads.count));

  const size_t element = SizeOf(program.type(id));
  const size_t in_bytes =
      size_t(program.dims(node.inputs[0]).tokens() * g.inputs / calls) * SizeOf(program.type(node.inputs[0]));
  const size_t out_bytes = size_t(program.dims(id).tokens() * g.outputs / calls) * element;

  const size_t residual_bytes =
      residual_id == kNoValue ? 0 : out_bytes / element * SizeOf(program.type(residual_id));
  char* source = program.at<char>(node.inputs[0]);
  char* target = program.at<char>(id);

  char* residual = residual_id == kNoValue ? nullptr : program.at<char>(residual_id);
  return {id, [=, &program] {
            dnnl::stream stream(Engine());
            for (int64_t call = 0; call < calls; ++call) {
              const auto shell = [&](const memory::desc& desc, const void* data) {
                return memory(desc, Engine(), const_cast<void*>(data));
              };
              std::unordered_map<int, memory> args = {
                  {DNNL_ARG_SRC, shell(conv->desc.src_desc(), source + size_t(call) * in_bytes)},
                  {DNNL_ARG_WEIGHTS, conv->weights},
                  {DNNL_ARG_DST, shell(conv->desc.dst_desc(), target + size_t(call) * out_bytes)},
                  {DNNL_ARG_SCRATCHPAD, shell(conv->desc.scratchpad_desc(), program.scratch.At(0))}};
              if (bias->data)
                args.emplace(DNNL_ARG_BIAS, shell(conv->desc.bias_desc(), bias->data + call * g.outputs));
              if (residual) {
                args.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1,
                             shell(conv->residual, residual + size_t(call) * residual_bytes));
              }
              conv->primitive.execute(stream, args);
            }
            stream.wait();
          }};
}

}  // namespace mvd::cpu
