#include "mvd/cpu/onednn.h"

#include <cstring>

namespace mvd::cpu {

using dnnl::memory;

dnnl::engine& Engine() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory::data_type DnnlType(DType dtype) {
  MVD_CHECK(dtype == DType::kF32 || dtype == DType::kBF16, "oneDNN computes no ", Name(dtype), " here");
  return dtype == DType::kF32 ? memory::data_type::f32 : memory::data_type::bf16;
}

void AppendActivation(dnnl::post_ops& ops, Act act) {
  using dnnl::algorithm;
  switch (act) {
    case Act::kNone:
      return;
    case Act::kSilu:
      return ops.append_eltwise(1, algorithm::eltwise_swish, 1, 0);
    case Act::kGelu:
      return ops.append_eltwise(1, algorithm::eltwise_gelu_erf, 0, 0);
    case Act::kQuickGelu:
      return ops.append_eltwise(1, algorithm::eltwise_swish, 1.702f, 0);
    case Act::kRelu:
      return ops.append_eltwise(1, algorithm::eltwise_relu, 0, 0);
    case Act::kTanh:
      return ops.append_eltwise(1, algorithm::eltwise_tanh, 0, 0);
    case Act::kGeglu:
      break;
  }
  MVD_CHECK(false, "geglu is no post-op");
}

dnnl::post_ops Epilogue(Act act, const memory::desc* residual) {
  dnnl::post_ops ops;
  if (residual) ops.append_binary(dnnl::algorithm::binary_add, *residual);
  AppendActivation(ops, act);
  return ops;
}

Aligned AlignWeight(const TensorView& view) {
  Aligned result{view, {}};
  const bool readable = view.dtype == DType::kF32 || view.dtype == DType::kBF16;
  if (readable && reinterpret_cast<uintptr_t>(view.data) % SizeOf(view.dtype) == 0) return result;
  result.copy = ConvertTo(view, readable ? view.dtype : DType::kF32);
  result.view = result.copy.view();
  return result;
}

memory Pack(const TensorView& data, const memory::desc& plain, const memory::desc& packed) {
  memory source(plain, Engine(), const_cast<void*>(data.data));
  memory target(packed, Engine());
  dnnl::stream stream(Engine());
  dnnl::reorder(source, target).execute(stream, source, target);
  stream.wait();
  return target;
}

Aligned TakeWeight(Program& program, ValueId id) {
  const Node& node = program.node(id);
  if (node.op == Op::kWeight) return AlignWeight(GetWeight(*program.weights, node));
  Aligned computed;
  computed.copy = program.ConstantF32(id);
  computed.view = computed.copy.view();
  program.constants.erase(id);  // packed, it is not needed any more; another reader computes it again
  return computed;
}

void ReleaseWeight(Program& program, ValueId id) {
  if (program.node(id).op == Op::kWeight) program.weights->Release(program.node(id).name);
}

Bias MakeBias(Program& program, ValueId id, int64_t channels) {
  Bias bias;
  if (id == kNoValue) return bias;
  const int64_t elements = program.graph.shape(id).elements();
  bias.per_item = elements > channels;
  const Node& node = program.node(id);
  if (node.op == Op::kWeight || node.phase == Phase::kLoad) {
    bias.constant = program.ConstantF32(id);
    bias.data = bias.constant.f32().data();
  } else {
    MVD_CHECK(program.type(id) == DType::kF32, node.name, ": a computed bias is f32");
    bias.data = program.at<float>(id);
  }
  return bias;
}

}  // namespace mvd::cpu
