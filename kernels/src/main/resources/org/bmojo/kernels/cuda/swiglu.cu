// silu(gate) · up. Constants: ELEMENT type, VECTOR elements per load.
#include "common.cuh"

using T = ELEMENT;

extern "C" __global__ void swiglu_forward(
    const T* __restrict__ gate, const T* __restrict__ up, T* __restrict__ y, long size) {
  long i = (blockIdx.x * (long)blockDim.x + threadIdx.x) * VECTOR;
  if (i >= size) return;
  float g[VECTOR], u[VECTOR];
  read<VECTOR>(gate + i, g);
  read<VECTOR>(up + i, u);
  EACH for (int j = 0; j < VECTOR; j++) u[j] *= g[j] * Exact<T>::sigmoid(g[j]);
  write<VECTOR>(y + i, u);
}

extern "C" __global__ void swiglu_backward(
    const T* __restrict__ gate, const T* __restrict__ up, const T* __restrict__ dy,
    T* __restrict__ d_gate, T* __restrict__ d_up, long size) {
  long i = (blockIdx.x * (long)blockDim.x + threadIdx.x) * VECTOR;
  if (i >= size) return;
  float g[VECTOR], u[VECTOR], d[VECTOR];
  read<VECTOR>(gate + i, g);
  read<VECTOR>(up + i, u);
  read<VECTOR>(dy + i, d);
  EACH for (int j = 0; j < VECTOR; j++) {
    float open = Exact<T>::sigmoid(g[j]);
    u[j] *= d[j] * (open * (1.f + g[j] * (1.f - open)));
    d[j] *= g[j] * open;
  }
  write<VECTOR>(d_gate + i, u);
  write<VECTOR>(d_up + i, d);
}
