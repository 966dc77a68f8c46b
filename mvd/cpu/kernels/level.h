// The kernels of one level, as the files of this folder define them and table.cc collects them. kernels.h
// says what each does.
#pragma once

#include "mvd/cpu/kernels/kernels.h"

namespace mvd::kernels::MVD_ISA {

void ToBf16(const float* x, int64_t n, BF16Bits* y);
void ToF32(const BF16Bits* x, int64_t n, float* y);

template <class E>
void GroupStatsOf(const E* x, int64_t rows, int64_t channels, int64_t groups, GroupStats* stats);
template <class E, class O>
void ScaleShift(const E* x, int64_t rows, int64_t channels, const float* scale, const float* shift,
                Activation act, O* y);
template <class E, class O>
void LayerNorm(const E* x, int64_t rows, int64_t channels, const float* gamma, const float* beta, double eps,
               O* y);
template <class E, class O>
void Activate(const E* x, int64_t n, Activation act, O* y);
template <class E>
void Geglu(const E* x, int64_t rows, int64_t channels, E* y);
template <class E>
void Multiply(const E* a, const E* b, int64_t n, E* y);
template <class E>
void Affine(const E* x, int64_t n, float scale, float shift, E* y);
template <class E>
void Add(const E* a, const E* b, int64_t n, E* y);
template <class E>
void AddRow(const E* a, const float* row, int64_t rows, int64_t channels, E* y);
template <class E, class O>
void Blend(const E* s, const E* r, float a, int64_t n, O* y);
template <class E>
void Attention(const AttentionJob<E>& job);
template <class E>
int64_t AttentionScratch(int64_t queries, int64_t keys, int64_t width, int64_t value_width);
template <class E>
void AttentionFew(const AttentionJob<E>& job);
template <class E>
WinogradSizes WinogradSizesOf(int64_t inputs, int64_t outputs, int64_t tiles);
template <class E>
void WinogradPack(const float* w, int64_t inputs, int64_t outputs, int64_t panel, void* weights);
template <class E>
void Winograd(const WinogradJob<E>& job);

const KernelTable& Table();

}  // namespace mvd::kernels::MVD_ISA
