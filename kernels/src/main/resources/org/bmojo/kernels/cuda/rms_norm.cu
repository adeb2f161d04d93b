// RMSNorm. Constants: ELEMENT type, WEIGHT its gain's, WIDTH of a row, VECTOR elements per load,
// THREADS per row (32, or the whole block).
#include "common.cuh"

using T = ELEMENT;
using R = Row<T, WIDTH, VECTOR, THREADS>;
using Gain = Row<WEIGHT, WIDTH, VECTOR, THREADS>;

extern "C" __global__ void forward(
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

// parts (rows at once, WIDTH): each walker's sum of dy · normalised x over its rows.
extern "C" __global__ void backward(
    const T* __restrict__ x, const WEIGHT* __restrict__ weight, const float* __restrict__ scale,
    const T* __restrict__ dy, T* __restrict__ dx, float* __restrict__ parts, long rows) {
  int walkers = gridDim.x * (blockDim.x / THREADS);
  int walker = blockIdx.x * (blockDim.x / THREADS) + threadIdx.x / THREADS;
  Gain gain;
  if (weight) gain.load(weight);
  float d_gain[R::ITEMS][VECTOR] = {};
  for (long row = walker; row < rows; row += walkers) {
    R in, d;
    in.load(x + row * WIDTH);
    d.load(dy + row * WIDTH);
    float s = scale[row];
    in.each([&](float v, int, int) { return v * s; });
    EACH for (int i = 0; i < R::ITEMS; i++)
      EACH for (int j = 0; j < VECTOR; j++) d_gain[i][j] += d.at[i][j] * in.at[i][j];
    if (weight) d.each([&](float v, int i, int j) { return v * gain.at[i][j]; });
    float along = R::sum([&](int i, int j) { return d.at[i][j] * in.at[i][j]; }) / WIDTH;
    d.each([&](float v, int i, int j) { return (v - in.at[i][j] * along) * s; });
    d.store(dx + row * WIDTH);
  }
  if (!weight) return;
  EACH for (int i = 0; i < R::ITEMS; i++)
    if (R::column(i) < WIDTH) write<VECTOR>(parts + walker * (long)WIDTH + R::column(i), d_gain[i]);
}

extern "C" __global__ void sum_parts(
    const float* __restrict__ parts, WEIGHT* __restrict__ total, int count) {
  sum_columns(parts, total, count, WIDTH);
}
