// A layer's attention for one token of each sequence, from unrotated heads to output: turns query
// and keys, notes them in the rings, and reads window, fading and eidetic memory under one softmax.
// Constants: ELEMENT type, D head size, THREADS per block, SPLITS blocks per head.
//
// A few lanes hold a key; such groups take keys in turn, several at once, each with a running
// softmax. Blocks of one head leave theirs in scratch, and the last one to finish joins them, in a
// fixed order.
#include "common.cuh"
#include "pipeline.cuh"

using T = ELEMENT;
constexpr int PIECE = 16 / sizeof(T), V = D % PIECE == 0 ? PIECE : 1;
constexpr int PIECES = D / V;
// Lanes of a group: a power of two that holds all pieces; those without one add nothing.
constexpr int LANES = PIECES <= 1 ? 1 : PIECES <= 2 ? 2 : PIECES <= 4 ? 4 : PIECES <= 8 ? 8
                      : PIECES <= 16 ? 16 : 32;
static_assert(PIECES <= LANES, "a head must fit a warp");
constexpr int GROUPS = THREADS / LANES, AT_ONCE = 4, HALF = D / 2;

// Everything that a layer remembers, one after the other: the window from the newest token back
// (0 is the token itself), what has faded, what is kept.
struct Memories {
  const T *window_k, *window_v, *faded_k, *faded_v, *kept_k, *kept_v;
  long window_rows, faded_rows, slots, sequence, position;
  int window, groups, group;
  long seen, faded;

  __device__ long total() const { return seen + faded + slots; }
  __device__ bool is_kept(long j) const { return j >= seen + faded; }

  // Where key and value j > 0 lie.
  __device__ void find(long j, const T*& k, const T*& v) const {
    if (is_kept(j)) {
      long at = place(slots, j - seen - faded);
      k = kept_k + at;
      v = kept_v + at;
    } else if (j >= seen) {
      long at = place(faded_rows, (position - window - (j - seen)) % faded_rows);
      k = faded_k + at;
      v = faded_v + at;
    } else {
      long at = place(window_rows, (position - j) % window_rows);
      k = window_k + at;
      v = window_v + at;
    }
  }
  __device__ long place(long rows, long row) const {
    return ((sequence * rows + row) * groups + group) * D;
  }
};

__device__ __forceinline__ float turned(
    const T* head, const float* cosines, const float* sines, int i) {
  int plane = i % HALF;
  float a = wide(head[plane]), b = wide(head[plane + HALF]);
  float c = cosines[plane], s = sines[plane];
  return i < HALF ? a * c - b * s : b * c + a * s;
}

struct Softmax {
  float most = -1e30f, sum = 0.f, out[V] = {};

  __device__ void add(float logit, const float (&value)[V]) {
    if (logit < -1e29f) return;  // an empty slot
    float top = fmaxf(most, logit), fade = expf(most - top), weight = expf(logit - top);
    sum = sum * fade + weight;
    EACH for (int i = 0; i < V; i++) out[i] = out[i] * fade + weight * value[i];
    most = top;
  }
};

// One entry a call of the layer; nulls and zeros for what it lacks.
extern "C" __global__ void __launch_bounds__(THREADS) token_attention(
    const T* q, const T* k, const T* v,
    const T* fading_k, const T* fading_v,
    const long* positions, const float* cosines,
    const float* sines, const float* __restrict__ far_cosines,
    const float* __restrict__ far_sines, T* window_k, T* window_v, long window_rows, int window,
    T* faded_k, T* faded_v, long faded_rows, int fading, const T* __restrict__ kept_k,
    const T* __restrict__ kept_v, const float* __restrict__ bias, int slots, int groups,
    float scale, float* scratch, int* arrived, T* out) {
  int heads = gridDim.x / SPLITS, head = blockIdx.x / SPLITS, split = blockIdx.x % SPLITS;
  int per_group = heads / groups, group = head / per_group;
  long sequence = blockIdx.y, position = positions[sequence];  // the same for the whole token
  int lane = threadIdx.x % LANES, own = threadIdx.x / LANES;
  Memories all{window_k, window_v, faded_k, faded_v, kept_k, kept_v,
               window_rows, faded_rows, slots, sequence, position, window, groups, group,
               min((long)window, position + 1),
               fading > 0 ? max(0L, min((long)fading, position - window + 1)) : 0};
  constexpr long STEP = GROUPS * SPLITS;
  // No other kernel writes these memories while this one may be waiting.
  if (gridDim.y <= 4 && V == PIECE && lane == 0) {
    for (long j = split * GROUPS + own; j < all.total(); j += STEP) {
      const T *k, *v;
      all.find(j, k, v);
      prefetch(k, D * sizeof(T));
      prefetch(v, D * sizeof(T));
    }
  }
  wait_for_previous();
  __shared__ __align__(16) T near[D], far[D], key[D], value[D];
  const T* own_q = q + (sequence * heads + head) * D;
  long own_key = (sequence * groups + group) * D;
  const float *c = cosines + sequence * HALF, *s = sines + sequence * HALF;
  bool notes = split == 0 && head % per_group == 0;
  for (int i = threadIdx.x; i < D; i += THREADS) {
    near[i] = cosines ? narrow<T>(turned(own_q, c, s, i)) : own_q[i];
    far[i] = far_cosines ? narrow<T>(turned(own_q, far_cosines, far_sines, i)) : own_q[i];
    key[i] = cosines ? narrow<T>(turned(k + own_key, c, s, i)) : k[own_key + i];
    value[i] = v[own_key + i];
    if (notes) {
      long at = ((sequence * window_rows + position % window_rows) * groups + group) * D + i;
      window_k[at] = key[i];
      window_v[at] = value[i];
      if (fading > 0) {
        long to = ((sequence * faded_rows + position % faded_rows) * groups + group) * D + i;
        const T* from = fading_k + own_key;
        faded_k[to] = cosines ? narrow<T>(turned(from, c, s, i)) : from[i];
        faded_v[to] = fading_v[own_key + i];
      }
    }
  }
  __syncthreads();

  bool holds = lane < PIECES;
  float near_q[V] = {}, far_q[V] = {};
  if (holds) {
    read<V>(near + lane * V, near_q);
    read<V>(far + lane * V, far_q);
  }
  long total = all.total();
  Softmax softmax;
  // The same count of turns for all groups: lanes of a warp add up together.
  for (long base = 0; base < total; base += STEP * AT_ONCE) {
    float logits[AT_ONCE], values[AT_ONCE][V];
    EACH for (int a = 0; a < AT_ONCE; a++) {
      long j = base + a * STEP + split * GROUPS + own;
      float keys[V] = {}, dot = 0.f, lift = j < total ? 0.f : -1e30f;
      EACH for (int i = 0; i < V; i++) values[a][i] = 0.f;
      bool eidetic = all.is_kept(j);
      if (holds && j < total) {
        const T *from_k = key, *from_v = value;
        if (j > 0) all.find(j, from_k, from_v);
        read<V>(from_k + lane * V, keys);
        read<V>(from_v + lane * V, values[a]);
      }
      if (eidetic && j < total)
        lift = bias[(sequence * heads + head) * slots + (j - all.seen - all.faded)];
      EACH for (int i = 0; i < V; i++) dot += (eidetic ? far_q[i] : near_q[i]) * keys[i];
      EACH for (int other = LANES / 2; other > 0; other /= 2)
        dot += __shfl_xor_sync(ALL, dot, other);
      logits[a] = dot * scale + lift;
    }
    EACH for (int a = 0; a < AT_ONCE; a++) softmax.add(logits[a], values[a]);
  }

  __shared__ float mosts[GROUPS], sums[GROUPS], outs[GROUPS][LANES * V];
  if (lane == 0) {
    mosts[own] = softmax.most;
    sums[own] = softmax.sum;
  }
  EACH for (int i = 0; i < V; i++) outs[own][lane * V + i] = softmax.out[i];
  __syncthreads();
  float most = mosts[0], sum = 0.f;
  for (int g = 1; g < GROUPS; g++) most = fmaxf(most, mosts[g]);
  for (int g = 0; g < GROUPS; g++) sum += sums[g] * expf(mosts[g] - most);
  long first = (sequence * heads + head) * SPLITS;
  for (int i = threadIdx.x; i < D; i += THREADS) {
    float x = 0.f;
    for (int g = 0; g < GROUPS; g++) x += outs[g][i] * expf(mosts[g] - most);
    if (SPLITS == 1) {
      out[(sequence * heads + head) * D + i] = narrow<T>(x / sum);
    } else {
      scratch[(first + split) * (D + 2) + i] = x;
    }
  }
  if (SPLITS == 1) return;
  if (threadIdx.x == 0) {
    scratch[(first + split) * (D + 2) + D] = most;
    scratch[(first + split) * (D + 2) + D + 1] = sum;
  }
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) last = atomicAdd(arrived + sequence * heads + head, 1) == SPLITS - 1;
  __syncthreads();
  if (!last) return;
  __threadfence();
  const volatile float* parts = scratch + first * (D + 2);
  most = -1e30f;
  sum = 0.f;
  for (int p = 0; p < SPLITS; p++) most = fmaxf(most, parts[p * (D + 2) + D]);
  for (int p = 0; p < SPLITS; p++)
    sum += parts[p * (D + 2) + D + 1] * expf(parts[p * (D + 2) + D] - most);
  for (int i = threadIdx.x; i < D; i += THREADS) {
    float x = 0.f;
    for (int p = 0; p < SPLITS; p++)
      x += parts[p * (D + 2) + i] * expf(parts[p * (D + 2) + D] - most);
    out[(sequence * heads + head) * D + i] = narrow<T>(x / sum);
  }
  if (threadIdx.x == 0) arrived[sequence * heads + head] = 0;  // for the next token
}
