// The sets of eidetic memory in step with single tokens, all layers at once: where a sequence stands at
// the beginning of a chunk, it gets a new one. Constants: those of eidetic_layer.cuh, D head size.
#include "common.cuh"
#include "best_tokens.cuh"
#include "pipeline.cuh"
#include "eidetic_layer.cuh"

// Kept tokens, then those that have left the window since the last refresh.
struct Candidates {
  const float *kept, *recent;
  const long* positions;
  long capacity, rows, first, last;  // recent ones: positions first … last

  __device__ float score(long row) const {
    return row < capacity ? kept[row] : recent[(first + row - capacity) % rows];
  }
  __device__ long position(long row) const {
    return row < capacity ? positions[row] : first + row - capacity;
  }
  __device__ unsigned operator[](long row) const {
    float own = score(row);
    bool empty = row < capacity && positions[row] < 0;
    return empty || own == -__int_as_float(0x7f800000) ? 0u : rank(own);
  }
  __device__ long count() const { return capacity + max(0L, last - first + 1); }
};

__device__ __forceinline__ bool due(long position, int chunk) {
  return position > 0 && position % chunk == 0;
}

constexpr float LEAST = 1e-30f;  // A score too small for float32 still has a logarithm.

// The new set of each sequence that begins a chunk: positions, scores and bias in place, and where
// keys and values come from: chosen (layers, B, E), −1 for nowhere. Importance joins the logits by its
// logarithm.
extern "C" __global__ void __launch_bounds__(THREADS) memory_select(
    const Layer* __restrict__ layers, const long* at, long* chosen,
    int rows, int capacity, int window, int chunk, int heads) {
  Layer layer = layers[blockIdx.y];
  wait_for_previous();
  long sequence = blockIdx.x, position = at[sequence];
  if (!due(position, chunk)) return;
  long* positions = layer.positions + sequence * capacity;
  float* scores = layer.scores + sequence * capacity;
  long* to = chosen + (blockIdx.y * (long)gridDim.x + sequence) * capacity;
  Candidates candidates{
      scores, layer.recent + sequence * rows, positions, capacity, rows,
      max(0L, position - chunk - window + 1), position - window};
  Line line = draw_line(candidates, capacity);
  int filled = 0, seen_equal = 0;
  for (long base = 0; base < candidates.count(); base += THREADS) {
    long row = base + threadIdx.x;
    bool there = row < candidates.count();
    unsigned key = there ? candidates[row] : 0u;
    long own = there ? candidates.position(row) : -1;
    float score = there ? candidates.score(row) : 0.f;
    int total;
    int index = seen_equal + up_to_here(key == line.threshold, total);  // from 1
    seen_equal += total;
    bool kept = line.chooses(key, index);
    int place = filled + up_to_here(kept, total) - 1;
    filled += total;
    if (kept) {  // never behind row: those who read it have done so
      positions[place] = own;
      scores[place] = score;
      to[place] = row;
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < capacity; i += THREADS) {
    bool empty = i >= filled;
    if (empty) {
      positions[i] = -1;
      scores[i] = -__int_as_float(0x7f800000);
      to[i] = -1;
    }
    float bias = layer.weight ? logf(fmaxf(scores[i], LEAST)) : 0.f;
    for (int h = 0; h < heads; h++)
      layer.bias[(sequence * heads + h) * capacity + i] =
          empty ? -__int_as_float(0x7f800000) : bias;
  }
}

// Their keys and values. Those that stay only ever move forward, and a thread has its own columns:
// it can work in place, from the first slot to the last.
extern "C" __global__ void memory_gather(
    const Layer* __restrict__ layers, const long* at,
    const long* chosen, const double* __restrict__ frequencies, int window_rows,
    int capacity, int chunk, int groups) {
  Layer layer = layers[blockIdx.z];
  wait_for_previous();
  long sequence = blockIdx.y, position = at[sequence];
  int column = blockIdx.x * blockDim.x + threadIdx.x;  // a plane of a head
  constexpr int HALF = D / 2;
  if (!due(position, chunk) || column >= groups * HALF) return;
  int group = column / HALF, plane = column % HALF;
  const long* from = chosen + (blockIdx.z * (long)gridDim.y + sequence) * capacity;
  for (int e = 0; e < capacity; e++) {
    long row = from[e];
    if (row < 0) break;
    long to = ((sequence * capacity + e) * groups + group) * D + plane;
    if (row < capacity) {
      long own = ((sequence * capacity + row) * groups + group) * D + plane;
      EACH for (int i = 0; i < D; i += HALF) {
        layer.k[to + i] = layer.k[own + i];
        layer.v[to + i] = layer.v[own + i];
      }
      continue;
    }
    long then = layer.positions[sequence * capacity + e];
    long own = ((sequence * window_rows + then % window_rows) * groups + group) * D + plane;
    float a = wide(layer.window_k[own]), b = wide(layer.window_k[own + HALF]);
    if (frequencies) {
      double angle = (double)then * frequencies[plane];
      float c = (float)cos(angle), s = -(float)sin(angle), first = a;
      a = a * c - b * s;
      b = b * c + first * s;
    }
    layer.k[to] = narrow<T>(a);
    layer.k[to + HALF] = narrow<T>(b);
    layer.v[to] = layer.window_v[own];
    layer.v[to + HALF] = layer.window_v[own + HALF];
  }
}
