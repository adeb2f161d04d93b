// How much a token is worth keeping, in each layer's eyes: how badly its state foresaw the token, the
// token's learned importance, or their product. A block per layer and sequence.
// Constants: those of eidetic_layer.cuh, WIDTH d, RANK r (0: nothing is foreseen), SCALE_FREE whether
// from rms(y), VECTOR elements per load, THREADS of a block.
#include "common.cuh"
#include "pipeline.cuh"
#include "eidetic_layer.cuh"

constexpr int WARPS = THREADS / 32;

__device__ float block_sum(float x) {
  __shared__ float warps[WARPS];
  x = warp_sum(x);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
  __syncthreads();
  x = 0.f;
  for (int w = 0; w < WARPS; w++) x += warps[w];
  __syncthreads();
  return x;
}

#if RANK
// Of a row of Length weights and a vector in shared memory; in every lane.
template <int Length>
__device__ float product(const PREDICTOR* row, const T* vector) {
  constexpr int V = Length % 8 == 0 ? 8 : 1;
  float sum = 0.f;
  EACH_OF(4) for (int i = threadIdx.x % 32 * V; i < Length; i += 32 * V) {
    float w[V];
    read<V>(row + i, w);
    EACH for (int j = 0; j < V; j++) sum += w[j] * wide(vector[i + j]);
  }
  return warp_sum(sum);
}

// mean (rms(x) − P(y before))²; y, or rms(y), becomes what the next token's prediction reads.
__device__ float innovation(const Layer& layer, long from, float eps) {
  int warp = threadIdx.x / 32;
  __shared__ __align__(16) T before[WIDTH], low[RANK];
  float square = 0.f, loudness = 0.f;
  for (int i = threadIdx.x; i < WIDTH; i += THREADS) {
    before[i] = layer.history[from + i];
    float in = wide(layer.x[from + i]), out = wide(layer.y[from + i]);
    square += in * in;
    loudness += out * out;
  }
  float scale = 1.f / sqrtf(block_sum(square) / WIDTH + eps);
  float even = SCALE_FREE ? 1.f / sqrtf(block_sum(loudness) / WIDTH + eps) : 1.f;
  for (int r = warp; r < RANK; r += WARPS) {
    float sum = product<WIDTH>(layer.down + r * (long)WIDTH, before);
    if (threadIdx.x % 32 == 0) low[r] = narrow<T>(sum);
  }
  __syncthreads();
  float error = 0.f;
  EACH_OF(4) for (int i = warp; i < WIDTH; i += WARPS) {
    float predicted = wide(narrow<T>(product<RANK>(layer.up + i * (long)RANK, low)));
    float difference = wide(layer.x[from + i]) * scale - predicted;
    if (threadIdx.x % 32 == 0) error += difference * difference;
  }
  for (int i = threadIdx.x; i < WIDTH; i += THREADS) {
    layer.history[from + i] = narrow<T>(wide(layer.y[from + i]) * even);
  }
  return block_sum(error) / WIDTH;
}
#endif

// softplus(w·x + u·rms(y) + b), the middle term only in layers that have one.
__device__ float importance(const Layer& layer, long from, float eps) {
  constexpr int STRIDE = THREADS * VECTOR;
  float row[VECTOR], weight[VECTOR], scale = 0.f, sum = 0.f;
  if (layer.state_weight) {
    float square = 0.f;
    for (int i = threadIdx.x * VECTOR; i < WIDTH; i += STRIDE) {
      read<VECTOR>(layer.y + from + i, row);
      EACH for (int j = 0; j < VECTOR; j++) square += row[j] * row[j];
    }
    scale = 1.f / sqrtf(block_sum(square) / WIDTH + eps);
  }
  for (int i = threadIdx.x * VECTOR; i < WIDTH; i += STRIDE) {
    read<VECTOR>(layer.x + from + i, row);
    read<VECTOR>(layer.weight + i, weight);
    EACH for (int j = 0; j < VECTOR; j++) sum += row[j] * weight[j];
    if (!layer.state_weight) continue;
    read<VECTOR>(layer.y + from + i, row);
    read<VECTOR>(layer.state_weight + i, weight);
    EACH for (int j = 0; j < VECTOR; j++) sum += wide(narrow<T>(row[j] * scale)) * weight[j];
  }
  return Exact<float>::softplus(block_sum(sum) + wide(*layer.offset));
}

// Noted at the token's place.
extern "C" __global__ void __launch_bounds__(THREADS) token_score(
    const Layer* __restrict__ layers, const long* positions, int rows, float eps) {
  Layer layer = layers[blockIdx.y];
  wait_for_previous();
  long sequence = blockIdx.x, from = sequence * WIDTH;
  float score = layer.weight ? importance(layer, from, eps) : 1.f;
#if RANK
  score *= innovation(layer, from, eps);
#endif
  if (threadIdx.x == 0) layer.recent[sequence * rows + positions[sequence] % rows] = score;
}
