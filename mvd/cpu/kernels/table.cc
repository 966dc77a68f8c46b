// One level's kernels as a table.
#include "mvd/cpu/kernels/level.h"

namespace mvd::kernels::MVD_ISA {
namespace {

template <class E>
constexpr TypedKernels<E> kTyped = {
    .group_stats = GroupStatsOf<E>,
    .scale_shift = ScaleShift<E, E>,
    .layer_norm = LayerNorm<E, E>,
    .activate = Activate<E, E>,
    .geglu = Geglu<E>,
    .multiply = Multiply<E>,
    .affine = Affine<E>,
    .add = Add<E>,
    .add_row = AddRow<E>,
    .blend = Blend<E, E>,
    .attention = Attention<E>,
    .attention_scratch = AttentionScratch<E>,
    .attention_few = AttentionFew<E>,
    .winograd_sizes = WinogradSizesOf<E>,
    .winograd_pack = WinogradPack<E>,
    .winograd = Winograd<E>,
};

constexpr KernelTable kTable = {.isa = MVD_ISA_NAME,
                                .to_bf16 = ToBf16,
                                .to_f32 = ToF32,
                                .f32 = kTyped<float>,
                                .bf16 = kTyped<BF16Bits>,
                                .narrowing = {.scale_shift = ScaleShift<float, BF16Bits>,
                                              .layer_norm = LayerNorm<float, BF16Bits>,
                                              .activate = Activate<float, BF16Bits>,
                                              .blend = Blend<float, BF16Bits>}};

}  // namespace

const KernelTable& Table() { return kTable; }

}  // namespace mvd::kernels::MVD_ISA
