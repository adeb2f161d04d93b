// The unit triangular systems of the gated delta rule's chunks (gated_delta.cu), solved once for all
// columns of values: a block takes a chunk of one head, multiplies its keys on tensor cores, and 64
// threads substitute forward, each in the registers of one column. Constants: ELEMENT, KEYS_TO,
// ALIGNED.
//
// Floor, (8, 2048, 24 heads, N 128), bfloat16: 100 MB of keys in, 100 MB of inverses out, 0.07 ms at 3
// TB/s; 0.8 G multiply-adds of half the lanes, 0.05 ms.
// What walks want, and nothing here.
#define COLUMNS 32
#define REVERSED 0
#include "common.cuh"
#include "head_scan.cuh"

constexpr int ROW = CHUNK + 4;  // floats from row to row of a system in shared memory

// Grid: chunks, heads of sequences. inverses (B, H, chunks, 64, 64): (I + Gβ)⁻¹, or (I + βG)⁻¹ where
// strengths are of rows. β (B, T, H).
extern "C" __global__ void __launch_bounds__(THREADS) delta_inverses(
    const T* __restrict__ k, const float* __restrict__ beta, const float* __restrict__ g,
    const int* __restrict__ begin, float* __restrict__ inverses, long tokens, int heads, int key,
    int of_rows) {
  extern __shared__ __align__(16) char memory[];
  float* system = (float*)memory;  // CHUNK rows, ROW apart
  bf16* keys = (bf16*)(system + CHUNK * ROW);
  __shared__ Decays decays;
  __shared__ float rates[CHUNK];
  int lane = threadIdx.x % 32, own = threadIdx.x / 32 * 16, head = blockIdx.y % heads;
  long sequence = blockIdx.y / heads, first = (long)blockIdx.x * CHUNK;
  long line = (sequence * tokens + first) * heads + head;
  int rows = (int)min((long)CHUNK, tokens - first);
  stage<PLANES, KEYS_TO>(keys, k + line * key, (long)heads * key, rows, key, nullptr, heads);
  if (threadIdx.x < 32) {
    double rate[2];
    EACH for (int i = 0; i < 2; i++)
      rate[i] = log_decay(g, begin, sequence, first + 2 * lane + i, tokens, heads, head);
    decay(decays, rate[0], rate[1]);
  } else if (threadIdx.x < 32 + CHUNK) {
    int row = threadIdx.x - 32;
    rates[row] = row < rows ? beta[line + row * (long)heads] : 0.f;
  }
  copies_done();
  __syncthreads();
  Block<PLANES> query[BLOCKS];
  EACH for (int b = 0; b < BLOCKS; b++)
    left_planes<PLANES, KEY_PITCH>(query[b], keys + own * KEY_PITCH + 16 * b, KEYS);
  for (int from = 0; from <= own; from += 16) {
    float p[2][4] = {};
    EACH for (int b = 0; b < BLOCKS; b++) {
      Block<PLANES> right;
      right_of_rows_planes<PLANES, KEY_PITCH>(right, keys + from * KEY_PITCH + 16 * b, KEYS);
      multiply_planes(p[0], p[1], query[b], right);
    }
    EACH for (int n = 0; n < 2; n++) {
      EACH for (int c = 0; c < 4; c++) {
        int i = own + lane / 4 + c / 2 * 8, j = from + 8 * n + lane % 4 * 2 + c % 2;
        float left_over = j < i ? decays.between(i, j) * rates[of_rows ? i : j] : 0.f;
        system[i * ROW + j] = p[n][c] * left_over;
      }
    }
  }
  __syncthreads();
  // A thread solves for one column. Four sums, so that few steps wait for the one before.
  if (threadIdx.x >= CHUNK) return;
  int column = threadIdx.x;
  float x[CHUNK] = {};
  float* to = inverses + (blockIdx.y * (long)gridDim.x + blockIdx.x) * CHUNK * CHUNK + column;
  EACH for (int i = 0; i < CHUNK; i++) {
    float sums[4] = {i == column ? 1.f : 0.f, 0.f, 0.f, 0.f};
    EACH for (int j = 0; j < i; j += 4) {
      float4 row = *(const float4*)(system + i * ROW + j);
      sums[0] -= row.x * x[j];
      sums[1] -= row.y * x[j + 1];
      sums[2] -= row.z * x[j + 2];
      sums[3] -= row.w * x[j + 3];
    }
    x[i] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    to[i * CHUNK] = x[i];
  }
}
