// What the kernels of memory attention share. Constants: HEAD size, WARPS per block. Included after
// common.cuh.
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
