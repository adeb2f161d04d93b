// e = mean (rms(x) − predicted)². Constants as in rms_norm.cu, but no gain.
#include "common.cuh"

using T = ELEMENT;
using R = Row<T, WIDTH, VECTOR, THREADS>;

extern "C" __global__ void innovation_forward(
    const T* __restrict__ x, const T* __restrict__ predicted, float* __restrict__ score,
    long rows, float eps) {
  long row = blockIdx.x * (long)(blockDim.x / THREADS) + threadIdx.x / THREADS;
  if (row >= rows) return;
  R in, p;
  in.load(x + row * WIDTH);
  p.load(predicted + row * WIDTH);
  float s = 1.f / sqrtf(R::sum([&](int i, int j) { return in.at[i][j] * in.at[i][j]; }) / WIDTH + eps);
  float square = R::sum([&](int i, int j) {
    float difference = in.at[i][j] * s - p.at[i][j];
    return difference * difference;
  });
  if (threadIdx.x % THREADS == 0) score[row] = square / WIDTH;
}

extern "C" __global__ void innovation_backward(
    const T* __restrict__ x, const T* __restrict__ predicted, const float* __restrict__ de,
    T* __restrict__ dx, T* __restrict__ d_predicted, long rows, float eps) {
  long row = blockIdx.x * (long)(blockDim.x / THREADS) + threadIdx.x / THREADS;
  if (row >= rows) return;
  R in, g;
  in.load(x + row * WIDTH);
  g.load(predicted + row * WIDTH);
  float s = 1.f / sqrtf(R::sum([&](int i, int j) { return in.at[i][j] * in.at[i][j]; }) / WIDTH + eps);
  float weight = de[row] * 2.f / WIDTH;
  in.each([&](float v, int, int) { return v * s; });
  g.each([&](float v, int i, int j) { return (v - in.at[i][j]) * weight; });  // of the prediction
  g.store(d_predicted + row * WIDTH);
  float along = -R::sum([&](int i, int j) { return g.at[i][j] * in.at[i][j]; }) / WIDTH;
  g.each([&](float v, int i, int j) { return (-v - in.at[i][j] * along) * s; });
  g.store(dx + row * WIDTH);
}
