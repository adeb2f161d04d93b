// Gradients of attention to eidetic memory, where every chunk of queries meets a set of E keys of
// its own: exact under one softmax with other keys, given the joint log-sum-exp and every
// query's Σ dOut · out.
//
// Logits live in registers, in powers of two. q, out and their gradients (B, T, H, D).
#include "common.cuh"
#include "attention.cuh"

// Grid: chunks, key heads, sequences. A warp owns 16 keys and computes with logits transposed, keys
// down and queries across; only the gradient of the logits crosses warps, for dq. Sets of more than
// ROWS keys go through `wide`, float32 like dq: what dq is before the last of them.
extern "C" __global__ void __launch_bounds__(THREADS, WIDE <= 64 ? 2 : 1) attention_backward_sets(
    const bf16* __restrict__ q, const bf16* __restrict__ k, const bf16* __restrict__ v,
    const float* __restrict__ bias, const bf16* __restrict__ d_out,
    const float* __restrict__ log_sum_exp, const float* __restrict__ out_slopes,
    const int* __restrict__ begin, bf16* __restrict__ dq, bf16* __restrict__ dk, bf16* __restrict__ dv,
    float* __restrict__ d_bias, float* __restrict__ wide_dq, long tokens, int heads, int groups,
    int chunks, int slots, int chunk, int lead, float scale) {
  constexpr int ACROSS = ROWS + 8;  // pitch of the logits' gradient, (keys, queries)
  extern __shared__ __align__(16) char memory[];
  bf16 *queries = (bf16*)memory, *keys = queries + TILE, *values = keys + TILE;
  bf16 *slopes = values + TILE, *d_logits = slopes + TILE;
  float *along = (float*)(d_logits + ROWS * ACROSS), *sums = along + ROWS;
  const Sizes s{tokens, heads, groups, chunks, slots, chunk, lead};
  int m = blockIdx.x, group = blockIdx.y, shared = heads / groups;
  int lane = threadIdx.x % 32, own = threadIdx.x / 32 * 16, pair = lane % 4 * 2;
  long sequence = blockIdx.z, stride = (long)heads * D;

  for (int from = 0; from < slots; from += ROWS) {
    int count = min(ROWS, slots - from);
    bool last = from + ROWS >= slots;
    if (from > 0) __syncthreads();
    long set = s.slot(sequence, m, from, group);
    fetch<ROWS, D, WIDE>(keys, k + set, (long)groups * D, count);
    fetch<ROWS, D, WIDE>(values, v + set, (long)groups * D, count);
    float gk[TILES][4] = {}, gv[TILES][4] = {};
    for (int head = group * shared; head < (group + 1) * shared; head++) {
      float biases[2], gb[2] = {};
      EACH for (int half = 0; half < 2; half++) {
        int e = own + lane / 4 + 8 * half;
        biases[half] =
            e < count ? LOG2E * bias[s.bias(sequence, m, head) + from + e] : nothing();
      }
      for (long first = s.begin(m); first < s.end(m); first += ROWS) {
        int rows = (int)min((long)ROWS, s.end(m) - first);
        long at = s.query(sequence, first, head);
        __syncthreads();  // the tile before has been used
        fetch<ROWS, D, WIDE>(queries, q + at, stride, rows);
        fetch<ROWS, D, WIDE>(slopes, d_out + at, stride, rows);
        for (int i = threadIdx.x; i < ROWS; i += THREADS) {
          long line = (sequence * tokens + first + i) * heads + head;
          // Queries of documents that begin inside the chunk see nothing of its set.
          bool sees = i < rows;
          if (PACKED && sees) sees = begin[sequence * tokens + first + i] <= m * chunk - lead;
          sums[i] = sees ? LOG2E * log_sum_exp[line] : -nothing();
          along[i] = i < rows ? out_slopes[line] : 0.f;
        }
        copies_done();
        __syncthreads();

        if (own < count) {
          for (int step = 0; step < rows; step += 16) {
            float p[2][4] = {}, g[2][4] = {};
            meet(p, g, keys + own * PITCH, values + own * PITCH, queries + step * PITCH,
                 slopes + step * PITCH);
            weigh(p, g, scale * LOG2E, biases, sums + step + pair, along + step + pair);
            EACH for (int n = 0; n < 2; n++)
              EACH for (int c = 0; c < 4; c++) gb[c / 2] += g[n][c];
            unsigned weights[4], d_weights[4];
            as_left(weights, p[0], p[1]);
            as_left(d_weights, g[0], g[1]);
            EACH for (int part = 0; part < 4; part++) {
              int e = own + lane / 4 + part % 2 * 8, i = step + pair + part / 2 * 8;
              *(unsigned*)(d_logits + e * ACROSS + i) = d_weights[part];
            }
            add_gradients(gk, gv, weights, d_weights, queries + step * PITCH,
                          slopes + step * PITCH);
          }
        }
        __syncthreads();

        if (own >= rows) continue;
        EACH for (int column = 0; column < WIDE; column += 32) {
          float gq[4][4] = {};
          for (int e = 0; e < count; e += 16) {
            unsigned a[4], b[4];
            left_of_transposed<ACROSS>(a, d_logits + e * ACROSS + own);
            right<PITCH>(b, keys + e * PITCH + column);
            multiply(gq[0], gq[1], a, b);
            right<PITCH>(b, keys + e * PITCH + column + 16);
            multiply(gq[2], gq[3], a, b);
          }
          each_row(gq, [&](int half, int j, float (&x)[8]) {
            int row = own + lane / 4 + 8 * half;
            if (row >= rows || column + j >= D) return;
            long to = at + row * stride + column + j;
            EACH for (int c = 0; c < 8; c++) x[c] *= scale;
            if (from > 0) {
              float before[8];
              read<8>(wide_dq + to, before);
              EACH for (int c = 0; c < 8; c++) x[c] += before[c];
            }
            if (last) write<8>(dq + to, x);
            else write<8>(wide_dq + to, x);
          });
        }
      }
      EACH for (int half = 0; half < 2; half++) {
        float sum = quad_sum(gb[half]);
        int e = own + lane / 4 + 8 * half;
        if (lane % 4 == 0 && e < count) d_bias[s.bias(sequence, m, head) + from + e] = sum;
      }
    }
    store_rows(dk + set, (long)groups * D, own, count, gk, scale);
    store_rows(dv + set, (long)groups * D, own, count, gv, 1.f);
  }
}
