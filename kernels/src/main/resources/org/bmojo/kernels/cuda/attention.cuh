// What the kernels of memory attention share. Constants: HEAD size, WARPS per block, PACKED 1 where
// rows hold several documents: then `begin` (B, T) says with which token that of each begins, else it
// is not read. Included after common.cuh.
#include "matrix.cuh"

constexpr int D = HEAD, WIDE = (D + 31) / 32 * 32, PITCH = WIDE + 8, TILE = ROWS * PITCH;
constexpr int TILES = WIDE / 8, BLOCKS = WIDE / 16;

__device__ __forceinline__ float nothing() { return -__int_as_float(0x7f800000); }

// Queries (B, T, H, D) in chunks; keys of a chunk (B, M, E, G, D) with a bias (B, M, H, E).
struct Sizes {
  long tokens;
  int heads, groups, chunks, slots, chunk, lead;  // lead: queries missing before the first

  __device__ long begin(int m) const { return max(0L, (long)m * chunk - lead); }
  __device__ long end(int m) const { return min(tokens, (m + 1L) * chunk - lead); }
  // Where a query's head begins, and a slot's.
  __device__ long query(long sequence, long token, int head) const {
    return ((sequence * tokens + token) * heads + head) * D;
  }
  __device__ long slot(long sequence, int m, int e, int group) const {
    return (((sequence * chunks + m) * slots + e) * groups + group) * D;
  }
  __device__ long bias(long sequence, int m, int head) const {
    return ((sequence * chunks + m) * heads + head) * slots;
  }
};

// Keys down, queries across: 16 × 16 logits and slopes of the weights, both before scaling.
__device__ __forceinline__ void meet(
    float (&p)[2][4], float (&g)[2][4], const bf16* keys, const bf16* values, const bf16* queries,
    const bf16* slopes) {
  EACH for (int d = 0; d < BLOCKS; d++) {
    unsigned a[4], b[4];
    left<PITCH>(a, keys + 16 * d);
    right_of_rows<PITCH>(b, queries + 16 * d);
    multiply(p[0], p[1], a, b);
    left<PITCH>(a, values + 16 * d);
    right_of_rows<PITCH>(b, slopes + 16 * d);
    multiply(g[0], g[1], a, b);
  }
}

// Weights and the logits' gradient from what meet gives. base: the logits' own share of the
// exponent, of rows lane / 4 and 8 further; sums and along: of the queries, from this lane's first.
__device__ __forceinline__ void weigh(
    float (&p)[2][4], float (&g)[2][4], float rate, const float (&base)[2], const float* sums,
    const float* along) {
  EACH for (int n = 0; n < 2; n++) {
    float2 sum = *(const float2*)(sums + 8 * n), slope = *(const float2*)(along + 8 * n);
    EACH for (int c = 0; c < 4; c++) {
      p[n][c] = exp2_fast(p[n][c] * rate + (base[c / 2] - (c % 2 ? sum.y : sum.x)));
      g[n][c] = p[n][c] * (g[n][c] - (c % 2 ? slope.y : slope.x));
    }
  }
}

// What 16 queries add to the gradients of 16 keys and values.
__device__ __forceinline__ void add_gradients(
    float (&gk)[TILES][4], float (&gv)[TILES][4], const unsigned (&weights)[4],
    const unsigned (&d_logits)[4], const bf16* queries, const bf16* slopes) {
  EACH for (int d = 0; d < BLOCKS; d++) {
    unsigned b[4];
    right<PITCH>(b, slopes + 16 * d);
    multiply(gv[2 * d], gv[2 * d + 1], weights, b);
    right<PITCH>(b, queries + 16 * d);
    multiply(gk[2 * d], gk[2 * d + 1], d_logits, b);
  }
}

// A warp's 16 rows of a gradient, of which those before `count` exist.
__device__ __forceinline__ void store_rows(
    bf16* to, long stride, int own, int count, const float (&g)[TILES][4], float scale) {
  each_row(g, [&](int half, int column, float (&x)[8]) {
    int row = own + threadIdx.x % 32 / 4 + 8 * half;
    if (row >= count || column >= D) return;
    EACH for (int j = 0; j < 8; j++) x[j] *= scale;
    write<8>(to + row * stride + column, x);
  });
}
