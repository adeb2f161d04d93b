// Few rows times matrices: y = f(x) · Wᵀ, then sums. Constants: ELEMENT type of rows, WEIGHT of the
// matrices, GAIN of the norm, ROWS of x, WIDTH of one, VECTOR elements per load, TEAM warps per
// pair of outputs, NORM whether x is normalised first, GATED whether a pair is gate and input of a
// SwiGLU.
//
// The weights cross memory once and are all there is to do: a team of warps takes two of their rows
// at a time, 16 bytes a lane, several loads on their way at once. Each block makes its own copy of
// f(x) in shared memory. While the kernel before still works on x, the weights of the first `early`
// turns are on their way to the cache.
#include "common.cuh"
#include "pipeline.cuh"

using T = ELEMENT;
using W = WEIGHT;
constexpr int V = VECTOR, THREADS = 256, WARPS = THREADS / 32, TEAMS = WARPS / TEAM;
constexpr int STRIDE = 32 * TEAM * V, CHUNKS = (WIDTH + STRIDE - 1) / STRIDE, AHEAD = 4;

// Up to three matrices of WIDTH columns, one after the other, each with its own output.
struct Maps {
  const W* weights[3];
  T* outs[3];
  int counts[3];

  __device__ int which(int& row) const {
    int m = 0;
    while (m < 2 && row >= counts[m]) row -= counts[m++];
    return m;
  }
};

// f(x) into shared memory; block 0 writes it out as well where somebody wants it.
__device__ void take_rows(const T* x, const GAIN* gain, float eps, T* normed, T* rows) {
  __shared__ float sums[WARPS];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int b = 0; b < ROWS; b++) {
    float scale = 1.f;
    if (NORM) {
      float square = 0.f;
      for (int i = threadIdx.x * V; i < WIDTH; i += THREADS * V) {
        float in[V];
        read<V>(x + b * (long)WIDTH + i, in);
        EACH for (int j = 0; j < V; j++) square += in[j] * in[j];
      }
      square = warp_sum(square);
      if (lane == 0) sums[warp] = square;
      __syncthreads();
      square = 0.f;
      EACH for (int w = 0; w < WARPS; w++) square += sums[w];
      scale = 1.f / sqrtf(square / WIDTH + eps);
      __syncthreads();
    }
    for (int i = threadIdx.x * V; i < WIDTH; i += THREADS * V) {
      float in[V];
      read<V>(x + b * (long)WIDTH + i, in);
      if (NORM) {
        EACH for (int j = 0; j < V; j++) in[j] *= scale * wide(gain[i + j]);
      }
      write<V>(rows + b * (long)WIDTH + i, in);
      if (NORM && normed && blockIdx.x == 0) write<V>(normed + b * (long)WIDTH + i, in);
    }
  }
  __syncthreads();
}

extern "C" __global__ void __launch_bounds__(THREADS, ROWS <= 2 ? 4 : 2) row_linear(
    const T* x, const GAIN* __restrict__ gain, float eps, T* normed,
    const W* __restrict__ weight0, const W* __restrict__ weight1, const W* __restrict__ weight2,
    T* out0, T* out1, T* out2, int count0, int count1, int count2, const T* added0,
    const T* added1, int early) {
  extern __shared__ __align__(16) char memory[];
  T* rows = reinterpret_cast<T*>(memory);
  __shared__ float parts[WARPS][2 * ROWS];
  Maps maps{{weight0, weight1, weight2}, {out0, out1, out2}, {count0, count1, count2}};
  int total = count0 + count1 + count2;  // GATED: gate and input count as one
  int pairs = GATED ? count0 : (total + 1) / 2;
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, team = warp / TEAM, part = warp % TEAM;
  int first = blockIdx.x * TEAMS + team, teams = gridDim.x * TEAMS;

  auto weights = [&](int pair, int which) {
    if (GATED) return (which ? weight1 : weight0) + pair * (long)WIDTH;
    int row = min(2 * pair + which, total - 1);
    int m = maps.which(row);
    return maps.weights[m] + row * (long)WIDTH;
  };
  if (V * sizeof(W) == 16 && part == 0 && lane < 2) {
    for (int pass = 0; pass < early; pass++) {
      int pair = first + pass * teams;
      if (pair < pairs) prefetch(weights(pair, lane), WIDTH * sizeof(W));
    }
  }
  wait_for_previous();
  take_rows(x, gain, eps, normed, rows);

  for (int base = blockIdx.x * TEAMS; base < pairs; base += teams) {
    int pair = base + team;
    bool mine = pair < pairs;
    float sums[2][ROWS] = {};
    if (mine) {
      const W *a = weights(pair, 0), *b = weights(pair, 1);
      for (int c = 0; c < CHUNKS; c += AHEAD) {
        Pack<W, V> ahead[AHEAD][2];
        EACH for (int i = 0; i < AHEAD; i++) {
          int at = (c + i) * STRIDE + (part * 32 + lane) * V;
          if (c + i >= CHUNKS || at >= WIDTH) continue;
          ahead[i][0] = *reinterpret_cast<const Pack<W, V>*>(a + at);
          ahead[i][1] = *reinterpret_cast<const Pack<W, V>*>(b + at);
        }
        EACH for (int i = 0; i < AHEAD; i++) {
          int at = (c + i) * STRIDE + (part * 32 + lane) * V;
          if (c + i >= CHUNKS || at >= WIDTH) continue;
          EACH for (int r = 0; r < ROWS; r++) {
            float in[V];
            read<V>(rows + r * (long)WIDTH + at, in);
            EACH for (int j = 0; j < V; j++) {
              sums[0][r] += wide(ahead[i][0].at[j]) * in[j];
              sums[1][r] += wide(ahead[i][1].at[j]) * in[j];
            }
          }
        }
      }
    }
    EACH for (int r = 0; r < ROWS; r++) {
      sums[0][r] = warp_sum(sums[0][r]);
      sums[1][r] = warp_sum(sums[1][r]);
    }
    if (TEAM > 1) {
      if (lane == 0) {
        EACH for (int r = 0; r < ROWS; r++) {
          parts[warp][2 * r] = sums[0][r];
          parts[warp][2 * r + 1] = sums[1][r];
        }
      }
      __syncthreads();
      EACH for (int r = 0; r < ROWS; r++) {
        EACH for (int w = 0; w < 2; w++) {
          float sum = 0.f;
          EACH for (int p = 0; p < TEAM; p++) sum += parts[team * TEAM + p][2 * r + w];
          sums[w][r] = sum;
        }
      }
      __syncthreads();
    }
    if (!mine || part > 0 || lane > 0) continue;
    if (GATED) {
      EACH for (int r = 0; r < ROWS; r++) {
        float g = wide(narrow<T>(sums[0][r])), u = wide(narrow<T>(sums[1][r]));
        out0[r * (long)count0 + pair] = narrow<T>(u * (g * Exact<T>::sigmoid(g)));
      }
    } else {
      EACH for (int w = 0; w < 2; w++) {
        int row = 2 * pair + w;
        if (row >= total) break;
        int m = maps.which(row);
        EACH for (int r = 0; r < ROWS; r++) {
          long at = r * (long)maps.counts[m] + row;
          T y = narrow<T>(sums[w][r]);
          if (added0) y = narrow<T>(wide(y) + wide(added0[at]));
          if (added1) y = narrow<T>(wide(added1[at]) + wide(y));
          maps.outs[m][at] = y;
        }
      }
    }
  }
}
