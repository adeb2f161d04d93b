// Parts of one softmax put together by their log-sum-exp. Constants: ELEMENT type, VECTOR.
#include "common.cuh"

using T = ELEMENT;

// Parts (B, T, H, D) with log-sum-exp (B, H, T); the fading one begins at query `from`; null parts
// are absent. out (B, T, H, D), log_sum_exp (B, T, H).
extern "C" __global__ void merge(
    const T* __restrict__ window, const float* __restrict__ window_sum,
    const T* __restrict__ fading, const float* __restrict__ fading_sum, long from,
    const T* __restrict__ eidetic, const float* __restrict__ eidetic_sum, T* __restrict__ out,
    float* __restrict__ log_sum_exp, long size, long tokens, int heads, int dim) {
  long i = (blockIdx.x * (long)blockDim.x + threadIdx.x) * VECTOR;
  if (i >= size) return;
  long head = i / dim, row = head / heads, sequence = row / tokens, token = row % tokens;
  long line = sequence * heads + head % heads, late = tokens - from;
  bool far = fading && token >= from;
  const float NOTHING = -__int_as_float(0x7f800000);
  float sums[3] = {window_sum[line * tokens + token],
                   far ? fading_sum[line * late + token - from] : NOTHING,
                   eidetic ? eidetic_sum[line * tokens + token] : NOTHING};
  float most = fmaxf(sums[0], fmaxf(sums[1], sums[2]));
  float joint = most + logf(expf(sums[0] - most) + expf(sums[1] - most) + expf(sums[2] - most));
  float to[VECTOR], part[VECTOR];
  read<VECTOR>(window + i, to);
  float weight = expf(sums[0] - joint);
  EACH for (int j = 0; j < VECTOR; j++) to[j] *= weight;
  if (far) {
    read<VECTOR>(fading + ((sequence * late + token - from) * heads + head % heads) * dim + i % dim,
                 part);
    weight = expf(sums[1] - joint);
    EACH for (int j = 0; j < VECTOR; j++) to[j] += weight * part[j];
  }
  if (eidetic) {
    read<VECTOR>(eidetic + i, part);
    weight = expf(sums[2] - joint);
    EACH for (int j = 0; j < VECTOR; j++) to[j] += weight * part[j];
  }
  write<VECTOR>(out + i, to);
  if (i % dim == 0) log_sum_exp[head] = joint;
}
