// RMSNorm. Constants: ELEMENT type, WEIGHT its gain's, WIDTH of a row, VECTOR elements per load,
// THREADS per row (32, or the whole block), RESIDENT blocks that shall fit on a
// multiprocessor backward, RING rows on their way there through shared memory (loads of 16 bytes);
// 0: one row, in registers.
#include "common.cuh"

using T = ELEMENT;
using R = Row<T, WIDTH, VECTOR, THREADS>;
using Gain = Row<WEIGHT, WIDTH, VECTOR, THREADS>;

extern "C" __global__ void norm_forward(
    const T* __restrict__ x, const WEIGHT* __restrict__ weight, T* __restrict__ y,
    float* __restrict__ scale, long rows, float eps) {
  long row = blockIdx.x * (long)(blockDim.x / THREADS) + threadIdx.x / THREADS;
  if (row >= rows) return;
  R in;
  in.load(x + row * WIDTH);
  float square = R::sum([&](int i, int j) { return in.at[i][j] * in.at[i][j]; });
  float s = 1.f / sqrtf(square / WIDTH + eps);
  if (weight) {
    Gain gain;
    gain.load(weight);
    in.each([&](float v, int i, int j) { return v * s * gain.at[i][j]; });
  } else {
    in.each([&](float v, int, int) { return v * s; });
  }
  in.store(y + row * WIDTH);
  if (threadIdx.x % THREADS == 0) scale[row] = s;
}

// A block's sum of one row per warp, in the order of the warps.
__device__ void sum_warps(const float (&mine)[R::ITEMS][VECTOR], float* total) {
  __shared__ float sums[THREADS == 32 ? WIDTH : 1];
  for (int turn = 0; turn < blockDim.x / 32; turn++) {
    if (threadIdx.x / 32 == turn) {
      EACH for (int i = 0; i < R::ITEMS; i++) {
        if (R::column(i) >= WIDTH) continue;
        float* to = sums + R::column(i);
        EACH for (int j = 0; j < VECTOR; j++) to[j] = mine[i][j] + (turn > 0 ? to[j] : 0.f);
      }
    }
    __syncthreads();
  }
  for (int i = threadIdx.x; i < WIDTH; i += blockDim.x) total[i] = sums[i];
}

#if RING
__device__ __forceinline__ void copy16(void* to, const void* from) {
  unsigned shared = (unsigned)__cvta_generic_to_shared(to);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared), "l"(from));
}

// The next RING rows of x and dy on their way through shared memory, where each thread reads only
// what it asked for itself.
struct Coming {
  Words<T, VECTOR>* own;

  __device__ Coming(char* memory)
      : own(reinterpret_cast<Words<T, VECTOR>*>(memory) + threadIdx.x) {}

  __device__ Words<T, VECTOR>& slot(int turn, int which, int item) const {
    return own[((turn * 2 + which) * R::ITEMS + item) * blockDim.x];
  }

  __device__ void ask(const T* x, const T* dy, long row, long rows, int turn) const {
    EACH for (int i = 0; i < R::ITEMS; i++) {
      if (row >= rows || R::column(i) >= WIDTH) continue;
      copy16(&slot(turn, 0, i), x + row * WIDTH + R::column(i));
      copy16(&slot(turn, 1, i), dy + row * WIDTH + R::column(i));
    }
    asm volatile("cp.async.commit_group;" ::: "memory");
  }

  __device__ void take(int turn, R& in, R& d) const {
    asm volatile("cp.async.wait_group %0;" ::"n"(RING - 1) : "memory");
    EACH for (int i = 0; i < R::ITEMS; i++) {
      bool there = R::column(i) < WIDTH;
      Words<T, VECTOR> of_x, of_dy;
      of_x.clear();
      of_dy.clear();
      if (there) of_x = slot(turn, 0, i), of_dy = slot(turn, 1, i);
      EACH for (int j = 0; j < VECTOR; j++) in.at[i][j] = of_x[j], d.at[i][j] = of_dy[j];
    }
  }
};
#endif

// parts (blocks, WIDTH): each block's sum of dy · normalised x over its rows. The next rows are
// on their way while this one is worked on. What stands in before, unless it is null, joins dx.
extern "C" __global__ void __launch_bounds__(THREADS == 32 ? 256 : THREADS, RESIDENT) norm_backward(
    const T* __restrict__ x, const WEIGHT* __restrict__ weight, const float* __restrict__ scale,
    const T* __restrict__ dy, const T* __restrict__ before, T* __restrict__ dx,
    float* __restrict__ parts, long rows) {
  int walkers = gridDim.x * (blockDim.x / THREADS);
  long row = blockIdx.x * (long)(blockDim.x / THREADS) + threadIdx.x / THREADS;
  Gain gain;
  if (weight) gain.load(weight);
  float d_gain[R::ITEMS][VECTOR] = {}, s = 0.f;
  typename R::Raw before_raw;
#if RING
  extern __shared__ __align__(16) char memory[];
  Coming coming(memory);
  int turn = 0;
  EACH for (int i = 0; i < RING; i++) coming.ask(x, dy, row + i * (long)walkers, rows, i);
#else
  typename R::Raw x_raw, dy_raw;
  if (row < rows) x_raw.load(x + row * WIDTH), dy_raw.load(dy + row * WIDTH);
#endif
  if (row < rows) s = scale[row];
  while (row < rows) {
    R in, d;
#if RING
    coming.take(turn, in, d);
#else
    in.take(x_raw);
    d.take(dy_raw);
#endif
    float own = s;
    if (before) before_raw.load(before + row * WIDTH);
    long next = row + walkers;
#if !RING
    if (next < rows) x_raw.load(x + next * WIDTH), dy_raw.load(dy + next * WIDTH);
#endif
    if (next < rows) s = scale[next];
    in.each([&](float v, int, int) { return v * own; });
    EACH for (int i = 0; i < R::ITEMS; i++)
      EACH for (int j = 0; j < VECTOR; j++) d_gain[i][j] += d.at[i][j] * in.at[i][j];
    if (weight) d.each([&](float v, int i, int j) { return v * gain.at[i][j]; });
    float along = R::sum([&](int i, int j) { return d.at[i][j] * in.at[i][j]; }) / WIDTH;
#if RING
    coming.ask(x, dy, row + RING * (long)walkers, rows, turn);  // all of this row has been read
    turn = turn + 1 < RING ? turn + 1 : 0;
#endif
    d.each([&](float v, int i, int j) { return (v - in.at[i][j] * along) * own; });
    if (before) {
      in.take(before_raw);
      d.each([&](float v, int i, int j) { return v + in.at[i][j]; });
    }
    d.store(dx + row * WIDTH);
    row = next;
  }
  if (!weight) return;
  float* part = parts + blockIdx.x * (long)WIDTH;
  if (THREADS == 32) {
    sum_warps(d_gain, part);
  } else {
    EACH for (int i = 0; i < R::ITEMS; i++)
      if (R::column(i) < WIDTH) write<VECTOR>(part + R::column(i), d_gain[i]);
  }
}

extern "C" __global__ void norm_sum_parts(
    const float* __restrict__ parts, WEIGHT* __restrict__ total, int count) {
  sum_columns(parts, total, count, WIDTH);
}
