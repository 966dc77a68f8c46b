// Convolutions by oneDNN on channels-last activations. A temporal convolution is a two-dimensional one with a
// (kt,1) kernel over the "picture" (T, H*W): no frame is gathered or copied.
#include <optional>

#include "mvd/cpu/onednn.h"

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

Geometry GeometryOf(const Program& program, ValueId id) {
  const Node& node = program.node(id);
  const Dims x = program.dims(node.inputs[0]), y = program.dims(id);
  const Shape& w = program.graph.shape(node.inputs[1]);
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

Convolution Compile(const Geometry& g, int64_t images, DType dtype, DType target_type, bool bias,
                    std::optional<DType> residual) {
  using Tag = memory::format_tag;
  const auto type = DnnlType(dtype);
  const memory::desc source({images, g.inputs, g.height, g.width}, type, Tag::nhwc);
  const memory::desc target({images, g.outputs, g.out_height, g.out_width}, DnnlType(target_type), Tag::nhwc);
  const memory::desc weights({g.outputs, g.inputs, g.kernel_height, g.kernel_width}, type, Tag::any);
  const memory::desc bias_desc({g.outputs}, memory::data_type::f32, Tag::x);
  dnnl::primitive_attr attr;
  memory::desc second;
  if (residual)
    second = memory::desc({images, g.outputs, g.out_height, g.out_width}, DnnlType(*residual), Tag::nhwc);
  attr.set_post_ops(Epilogue(g.act, residual ? &second : nullptr));
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  using dnnl::convolution_forward;
  const auto kind = dnnl::prop_kind::forward_inference;
  const auto algorithm = dnnl::algorithm::convolution_direct;
  const convolution_forward::desc desc =
      bias ? convolution_forward::desc(kind, algorithm, source, weights, bias_desc, target, g.stride, g.begin,
                                       g.end)
           : convolution_forward::desc(kind, algorithm, source, weights, target, g.stride, g.begin, g.end);
  const convolution_forward::primitive_desc made(desc, attr, Engine());
  return {made, convolution_forward(made), {}, second};
}

bool IsLinear(const Program& program, ValueId id) {
  const Node& node = program.node(id);
  if (node.op != Op::kConv2d) return false;
  const auto& a = node.as<Conv2dAttrs>();
  const Shape& w = program.graph.shape(node.inputs[1]);
  return w[2] == 1 && w[3] == 1 && a.stride == 1 && a.top + a.left + a.bottom + a.right == 0;
}

}  // namespace

Step MakeConv(Program& program, ValueId id) {
  if (IsLinear(program, id)) return MakeLinear(program, id);
  const Node& node = program.node(id);
  const Node& weight_node = program.node(node.inputs[1]);
  MVD_CHECK(weight_node.op == Op::kWeight, node.name, ": a convolution's weight comes from the file");
  const ScopedThreads threads(program.options.threads);
  const Geometry g = GeometryOf(program, id);
  auto bias = std::make_shared<Bias>(MakeBias(program, node.input(2), g.outputs));
  const ValueId residual_id = node.input(3);
  // A bias that varies with the batch item: one call an item.
  const int64_t calls = bias->per_item ? program.dims(id).b : 1;
  auto conv = std::make_shared<Convolution>(
      Compile(g, g.images / calls, program.type(node.inputs[0]), program.type(id), bias->data != nullptr,
              residual_id == kNoValue ? std::nullopt : std::optional(program.type(residual_id))));
  const Aligned weight = AlignWeight(GetWeight(*program.weights, weight_node));
  const memory::desc plain({g.outputs, g.inputs, g.kernel_height, g.kernel_width},
                           DnnlType(weight.view.dtype), memory::format_tag::oihw);
  conv->weights = Pack(weight.view, plain, conv->desc.weights_desc());
  program.weights->Release(weight_node.name);
  program.weight_bytes += int64_t(conv->weights.get_desc().get_size());
  // The whole call may use all threads' scratch: it runs alone.
  const int64_t scratchpad = int64_t(conv->desc.scratchpad_desc().get_size());
  program.scratch.Need((scratchpad + program.options.threads.count - 1) / program.options.threads.count);

  const size_t element = SizeOf(program.type(id));
  const size_t in_bytes =
      size_t(program.dims(node.inputs[0]).tokens() * g.inputs / calls) * SizeOf(program.type(node.inputs[0]));
  const size_t out_bytes = size_t(program.dims(id).tokens() * g.outputs / calls) * element;

  const size_t residual_bytes =
      residual_id == kNoValue ? 0 : out_bytes / element * SizeOf(program.type(residual_id));
  char* source = program.at<char>(node.inputs[0]);
  char* target = program.at<char>(id);

  char* residual = residual_id == kNoValue ? nullptr : program.at<char>(residual_id);
  const int position = g.act == Act::kNone ? 0 : 1;
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
                args.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(position) | DNNL_ARG_SRC_1,
                             shell(conv->residual, residual + size_t(call) * residual_bytes));
              }
              conv->primitive.execute(stream, args);
            }
            stream.wait();
          }};
}

}  // namespace mvd::cpu
