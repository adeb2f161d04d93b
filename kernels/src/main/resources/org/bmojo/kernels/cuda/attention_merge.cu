// The window's and the fading part of one softmax put together by their log-sum-exp. Constants:
// ELEMENT type, VECTOR. (With eidetic memory, eidetic_attention.cu merges all three.)
#include "common.cuh"

using T = ELEMENT;

// Parts (B, T, H, D) with log-sum-exp (B, H, T); fading may be null. out (B, T, H, D), log_sum_exp
// (B, T, H).
extern "C" __global__ void merge(
    const T* __restrict__ window, const float* __restrict__ window_sum,
    const T* __restrict__ fading, const float* __restrict__ fading_sum, T* __restrict__ out,
    float* __restrict__ log_sum_exp, long size, long tokens, int heads, int dim) {
  long i = (blockIdx.x * (long)blockDim.x + threadIdx.x) * VECTOR;
  if (i >= size) return;
  long head = i / dim, row = head / heads, sequence = row / tokens, token = row % tokens;
  long line = (sequence * heads + head % heads) * tokens + token;
  const float NOTHING = -__int_as_float(0x7f800000);
  float near = window_sum[line], far = fading ? fading_sum[line] : NOTHING;
  if (far == -NOTHING) far = NOTHING;  // flash attention's way to say: no key
  float most = fmaxf(near, far), joint = most + logf(expf(near - most) + expf(far - most));
  float to[VECTOR], part[VECTOR];
  read<VECTOR>(window + i, to);
  float weight = expf(near - joint);
  EACH for (int j = 0; j < VECTOR; j++) to[j] *= weight;
  if (fading) {
    read<VECTOR>(fading + i, part);
    weight = expf(far - joint);
    EACH for (int j = 0; j < VECTOR; j++) to[j] += weight * part[j];
  }
  write<VECTOR>(out + i, to);
  if (i % dim == 0) log_sum_exp[head] = joint;
}
