// The gradient of a token's row: the sum over the sets that hold it, in the order of the sets. One
// warp a token. Each lane looks for the token in a set of its own (members are ascending, empty
// slots, position -1, come last); then all lanes add up the rows that were found, to what the
// token's row of `onto` holds, unless that is null.
//
// ELEMENT, VECTOR (elements a lane moves at once), WIDTH (elements of a row), WARPS a block.
#include "common.cuh"

using T = ELEMENT;
constexpr int STRIDE = 32 * VECTOR;
constexpr int TILES = (WIDTH + STRIDE - 1) / STRIDE;

extern "C" __global__ void gather_backward(
    const long long* __restrict__ rows, const long long* __restrict__ positions,
    const T* __restrict__ dy, const T* __restrict__ onto, T* __restrict__ dx, long long count,
    int tokens, long long past, int sets, int slots) {
  long long token = blockIdx.x * (long long)WARPS + threadIdx.x / 32;
  if (token >= count) return;
  int lane = threadIdx.x % 32;
  long long sequence = token / tokens, wanted = past + token % tokens;
  float sum[TILES][VECTOR] = {};
  for (int first = 0; first < sets; first += 32) {
    int found = -1;
    if (first + lane < sets) {
      long long base = (sequence * sets + first + lane) * slots;
      int low = 0, high = slots;
      while (low < high) {
        int middle = (low + high) / 2;
        bool before = positions[base + middle] >= 0 && rows[base + middle] < wanted;
        if (before) low = middle + 1; else high = middle;
      }
      if (low < slots && positions[base + low] >= 0 && rows[base + low] == wanted) found = low;
    }
    unsigned holders = __ballot_sync(ALL, found >= 0);
    while (holders) {
      int which = __ffs(holders) - 1;
      holders &= holders - 1;
      int slot = __shfl_sync(ALL, found, which);
      const T* from = dy + ((sequence * sets + first + which) * slots + slot) * (long long)WIDTH;
      EACH for (int i = 0; i < TILES; i++) {
        int column = i * STRIDE + lane * VECTOR;
        if (column < WIDTH) {
          float part[VECTOR];
          read<VECTOR>(from + column, part);
          EACH for (int j = 0; j < VECTOR; j++) sum[i][j] += part[j];
        }
      }
    }
  }
  EACH for (int i = 0; i < TILES; i++) {
    int column = i * STRIDE + lane * VECTOR;
    if (column >= WIDTH) continue;
    if (onto) {
      float part[VECTOR];
      read<VECTOR>(onto + token * WIDTH + column, part);
      EACH for (int j = 0; j < VECTOR; j++) sum[i][j] += part[j];
    }
    write<VECTOR>(dx + token * WIDTH + column, sum[i]);
  }
}
