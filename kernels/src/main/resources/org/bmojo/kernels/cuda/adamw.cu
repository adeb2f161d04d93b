// AdamW over many parameters in one launch. Constants: WEIGHT, GRADIENT and MOMENT element types.
//
// A table says where the parameters lie; blocks own CHUNK elements each and find their parameter
// by binary search over the chunks before it. The gradients' norm comes from memory, so that the
// host need not know it; so do, in a step that is recorded, the numbers that change with each.
#include "common.cuh"

constexpr int CHUNK = 4096, THREADS = 256;
constexpr double LARGEST = 1.7976931348623157e308;

struct Slot {
  WEIGHT* weight;
  bf16* copy;  // of the weight, or null
  const GRADIENT* gradient;
  MOMENT* first;
  MOMENT* second;
  long size;
  long chunks_before;
  double decay;
};

__device__ __forceinline__ const Slot& find(const Slot* slots, int count, long chunk) {
  int low = 0, high = count - 1;
  while (low < high) {
    int middle = (low + high + 1) / 2;
    if (slots[middle].chunks_before <= chunk) low = middle;
    else high = middle - 1;
  }
  return slots[low];
}

// Runs f on the indices of this block's chunk, four neighbours at a time where all four exist and
// lie on one boundary.
template <typename F4, typename F1>
__device__ __forceinline__ void walk(const Slot& slot, bool aligned, F4 four, F1 one) {
  long start = (blockIdx.x - slot.chunks_before) * CHUNK;
  EACH for (int k = 0; k < CHUNK / (THREADS * 4); k++) {
    long i = start + (k * THREADS + threadIdx.x) * 4;
    if (aligned && i + 4 <= slot.size) {
      four(i);
    } else {
      for (long j = i; j < i + 4 && j < slot.size; j++) one(j);
    }
  }
}

__device__ __forceinline__ bool aligned(const void* p, int bytes) {
  return (unsigned long)p % bytes == 0;
}

struct Rates {
  float rate, beta1, beta2, eps, scale, correction1, correction2, keep;

  __device__ void update(float& w, float g, float& m, float& v) const {
    g *= scale;
    m = beta1 * m + (1.f - beta1) * g;
    v = beta2 * v + (1.f - beta2) * g * g;
    w = w * keep - rate * (m * correction1) / (sqrtf(v * correction2) + eps);
  }
};

extern "C" __global__ void adamw_step(
    const Slot* __restrict__ slots, int count, float rate, float beta1, float beta2, float eps,
    float correction1, float correction2, float clip, const double* __restrict__ norm,
    const double* __restrict__ varying) {  // rate, step, both corrections; null: the arguments
  double joint = *norm;
  if (!(joint <= LARGEST)) return;  // infinite, or no number
  float scale = clip > 0.f && joint > clip ? (float)(clip / joint) : 1.f;
  if (varying) {
    rate = (float)varying[0];
    correction1 = (float)varying[2];
    correction2 = (float)varying[3];
  }
  const Slot slot = find(slots, count, blockIdx.x);
  Rates rates{rate, beta1, beta2, eps, scale, correction1, correction2,
              (float)(1.0 - (double)rate * slot.decay)};
  bool fits = aligned(slot.weight, 4 * sizeof(WEIGHT)) && aligned(slot.first, 4 * sizeof(MOMENT)) &&
              aligned(slot.gradient, 4 * sizeof(GRADIENT)) &&
              aligned(slot.second, 4 * sizeof(MOMENT)) && aligned(slot.copy, 4 * sizeof(bf16));
  walk(
      slot, fits,
      [&](long i) {
        float w[4], g[4], m[4], v[4];
        read<4>(slot.weight + i, w);
        read<4>(slot.gradient + i, g);
        read<4>(slot.first + i, m);
        read<4>(slot.second + i, v);
        EACH for (int j = 0; j < 4; j++) rates.update(w[j], g[j], m[j], v[j]);
        write<4>(slot.weight + i, w);
        if (slot.copy) write<4>(slot.copy + i, w);
        write<4>(slot.first + i, m);
        write<4>(slot.second + i, v);
      },
      [&](long i) {
        float w = wide(slot.weight[i]), m = wide(slot.first[i]), v = wide(slot.second[i]);
        rates.update(w, wide(slot.gradient[i]), m, v);
        slot.weight[i] = narrow<WEIGHT>(w);
        if (slot.copy) slot.copy[i] = narrow<bf16>(w);
        slot.first[i] = narrow<MOMENT>(m);
        slot.second[i] = narrow<MOMENT>(v);
      });
}

__device__ double block_sum(double x) {
  __shared__ double warps[32];
  EACH for (int other = 16; other > 0; other /= 2) x += __shfl_xor_sync(ALL, x, other);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
  __syncthreads();
  x = 0;
  for (int i = 0; i < blockDim.x / 32; i++) x += warps[i];
  return x;
}

// parts: one sum of squares per chunk.
extern "C" __global__ void adamw_squares(
    const Slot* __restrict__ slots, int count, double* __restrict__ parts) {
  const Slot slot = find(slots, count, blockIdx.x);
  double sum = 0;
  auto add = [&](float g) { sum += (double)g * g; };
  walk(
      slot, aligned(slot.gradient, 4 * sizeof(GRADIENT)),
      [&](long i) {
        float g[4];
        read<4>(slot.gradient + i, g);
        EACH for (int j = 0; j < 4; j++) add(g[j]);
      },
      [&](long i) { add(wide(slot.gradient[i])); });
  sum = block_sum(sum);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// One block: the root of the sum of all parts.
extern "C" __global__ void adamw_norm(
    const double* __restrict__ parts, long count, double* __restrict__ result) {
  double sum = 0;
  for (long i = threadIdx.x; i < count; i += blockDim.x) sum += parts[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *result = sqrt(sum);
}
