// Attention of one token per sequence to its rings and its eidetic memory. Constants: ELEMENT type,
// D head size, THREADS per block.
//
// A block per head and sequence; its warps take keys in turn, lanes the elements of a key, each
// with a running softmax of its own, merged at the end.
#include "common.cuh"

using T = ELEMENT;
constexpr int WARPS = THREADS / 32, SLICE = (D + 31) / 32;

struct Running {
  float most = -1e30f, sum = 0.f, out[SLICE] = {};

  __device__ static void load(const T* from, float (&to)[SLICE]) {
    int lane = threadIdx.x % 32;
    EACH for (int i = 0; i < SLICE; i++) to[i] = lane + 32 * i < D ? wide(from[lane + 32 * i]) : 0.f;
  }

  __device__ void add(const float (&q)[SLICE], const T* k, const T* v, float scale, float bias) {
    float key[SLICE], value[SLICE], dot = 0.f;
    load(k, key);
    load(v, value);
    EACH for (int i = 0; i < SLICE; i++) dot += q[i] * key[i];
    float logit = warp_sum(dot) * scale + bias;
    if (logit < -1e29f) return;  // an empty slot
    float top = fmaxf(most, logit), fade = expf(most - top), weight = expf(logit - top);
    sum = sum * fade + weight;
    EACH for (int i = 0; i < SLICE; i++) out[i] = out[i] * fade + weight * value[i];
    most = top;
  }
};

extern "C" __global__ void __launch_bounds__(THREADS) attention_step(
    const T* __restrict__ q, const long* __restrict__ positions, const T* __restrict__ window_k,
    const T* __restrict__ window_v, int window_rows, int window, const T* __restrict__ fading_k,
    const T* __restrict__ fading_v, int fading_rows, int fading, const T* __restrict__ eidetic_q,
    const T* __restrict__ eidetic_k, const T* __restrict__ eidetic_v,
    const float* __restrict__ bias, int slots, int groups, float scale, T* __restrict__ out) {
  int head = blockIdx.x, heads = gridDim.x, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  long sequence = blockIdx.y, position = positions[sequence];
  int group = head / (heads / groups);
  long query = (sequence * heads + head) * D;
  float own[SLICE];
  Running::load(q + query, own);
  Running running;
  long oldest = max(0L, position - window + 1);
  for (long p = position - warp; p >= oldest; p -= WARPS) {
    long at = ((sequence * window_rows + p % window_rows) * groups + group) * D;
    running.add(own, window_k + at, window_v + at, scale, 0.f);
  }
  if (fading > 0) {
    long last = position - window;
    oldest = max(0L, last - fading + 1);
    for (long p = last - warp; p >= oldest; p -= WARPS) {
      long at = ((sequence * fading_rows + p % fading_rows) * groups + group) * D;
      running.add(own, fading_k + at, fading_v + at, scale, 0.f);
    }
  }
  if (slots > 0) {
    Running::load(eidetic_q + query, own);
    for (int e = warp; e < slots; e += WARPS) {
      long at = ((sequence * slots + e) * groups + group) * D;
      float lift = bias[(sequence * heads + head) * slots + e];
      running.add(own, eidetic_k + at, eidetic_v + at, scale, lift);
    }
  }
  __shared__ float mosts[WARPS], sums[WARPS], outs[WARPS][32 * SLICE];
  if (lane == 0) {
    mosts[warp] = running.most;
    sums[warp] = running.sum;
  }
  EACH for (int i = 0; i < SLICE; i++) outs[warp][lane + 32 * i] = running.out[i];
  __syncthreads();
  float most = mosts[0], sum = 0.f;
  EACH for (int w = 1; w < WARPS; w++) most = fmaxf(most, mosts[w]);
  EACH for (int w = 0; w < WARPS; w++) sum += sums[w] * expf(mosts[w] - most);
  for (int i = threadIdx.x; i < D; i += THREADS) {
    float x = 0.f;
    EACH for (int w = 0; w < WARPS; w++) x += outs[w][i] * expf(mosts[w] - most);
    out[query + i] = narrow<T>(x / sum);
  }
}
