// One token of Gated KalmaNet's solver (gated_ridge.cu) for a batch of sequences: a block advances the
// matrix of one head of one sequence and iterates on it. The matrix stays in registers, EDGE × EDGE
// floats a thread in 16 × 16 threads; only the solution passes through shared memory. Constants:
// ELEMENT, EDGE 1, 2, 4 or 8.
//
// Floor, 64 sequences of 24 heads, dim 64: 25 MB of matrices in and out, 0.017 ms at 3 TB/s; 30
// iterations wait for one another, about 300 cycles each, 0.006 ms a wave of blocks.
#include "common.cuh"

using T = ELEMENT;

constexpr int SIDE = 16, DIM = SIDE * EDGE, COPIES = SIDE / EDGE;  // lanes that hold the same row

// E values of each of 16 neighbouring lanes → the sum over these of value lane % 16 / (16 / E).
template <int E>
__device__ __forceinline__ float gather_sum(float (&y)[E]) {
  int lane = threadIdx.x;
  EACH for (int bit = 8, n = E / 2; bit > 0; bit /= 2, n /= 2) {
    if (n > 0) {
      bool upper = lane & bit;
      EACH for (int j = 0; j < E / 2; j++) {
        if (j >= n) continue;
        float got = __shfl_xor_sync(ALL, upper ? y[j] : y[j + n], bit);
        y[j] = (upper ? y[j + n] : y[j]) + got;
      }
    } else {
      y[0] += __shfl_xor_sync(ALL, y[0], bit);
    }
  }
  return y[0];
}

// Grid: heads of sequences; 256 threads. q, k, z (B, H, dim), g (B, H); state (B, H, dim, dim) advances
// in place.
extern "C" __global__ void __launch_bounds__(256, 2) ridge_step(
    const T* __restrict__ q, const T* __restrict__ k, const float* __restrict__ g,
    float* __restrict__ state, T* __restrict__ z, float ridge, int iterations, int dim) {
  __shared__ __align__(16) float keys[DIM], x[2][DIM];
  __shared__ float squares[8];
  int lane = threadIdx.x % 32, row = threadIdx.x / SIDE * EDGE, column = threadIdx.x % SIDE * EDGE;
  long head = blockIdx.x;
  for (int i = threadIdx.x; i < DIM; i += 256) keys[i] = i < dim ? wide(k[head * dim + i]) : 0.f;
  float decay = expf(g[head]), *own = state + head * dim * dim;
  bool vectors = dim % EDGE == 0;  // rows begin where EDGE floats do
  float m[EDGE][EDGE];
  EACH for (int i = 0; i < EDGE; i++) {
    EACH for (int j = 0; j < EDGE; j++) m[i][j] = 0.f;
    const float* at = own + (long)(row + i) * dim + column;
    if (row + i >= dim) continue;
    if (vectors && column < dim) read<EDGE>(at, m[i]);
    else if (!vectors) EACH for (int j = 0; j < EDGE; j++)
      if (column + j < dim) m[i][j] = at[j];
  }
  __syncthreads();
  float square = 0.f;
  EACH for (int i = 0; i < EDGE; i++) {
    EACH for (int j = 0; j < EDGE; j++) {
      m[i][j] = decay * m[i][j] + keys[row + i] * keys[column + j];
      square += m[i][j] * m[i][j];
    }
    float* at = own + (long)(row + i) * dim + column;
    if (row + i >= dim) continue;
    if (vectors && column < dim) write<EDGE>(at, m[i]);
    else if (!vectors) EACH for (int j = 0; j < EDGE; j++)
      if (column + j < dim) at[j] = m[i][j];
  }
  square = warp_sum(square);
  if (lane == 0) squares[threadIdx.x / 32] = square;
  __syncthreads();
  float norm = 0.f;
  for (int w = 0; w < 8; w++) norm += squares[w];
  norm = sqrtf(norm);

  // Each lane follows one row of the solution.
  int mine = row + lane % SIDE / COPIES;
  bool writes = lane % COPIES == 0;
  float wanted = mine < dim ? wide(q[head * dim + mine]) : 0.f;
  float lambda = ridge * norm, step = 1.f / (norm * (ridge + 0.5f));
  float rate = 0.5f / (2.f * ridge + 1.f), weight = 2.f;
  float solution = step * wanted, before = 0.f;
  for (int i = 0; i < iterations; i++) {
    float* now = x[i % 2];
    if (writes) now[mine] = solution;
    __syncthreads();
    float y[EDGE] = {}, part[EDGE];
    EACH for (int j = 0; j < EDGE; j++) part[j] = now[column + j];
    EACH for (int r = 0; r < EDGE; r++)
      EACH for (int j = 0; j < EDGE; j++) y[r] += m[r][j] * part[j];
    float residual = gather_sum<EDGE>(y) + lambda * solution - wanted;
    weight = 1.f / (1.f - rate * rate * weight);
    float next = weight * (solution - step * residual) - (weight - 1.f) * before;
    before = solution;
    solution = next;
  }
  if (writes && mine < dim) z[head * dim + mine] = narrow<T>(solution);
}
