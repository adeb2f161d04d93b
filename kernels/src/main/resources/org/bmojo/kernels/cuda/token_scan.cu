// One token through a selective state space, from step sizes to gate. Constants: ELEMENT type,
// WEIGHT of the matrix that makes step sizes, N states, RANK of that matrix, LANES threads per
// channel, which share its states and its row.
#include "common.cuh"
#include "pipeline.cuh"

using T = ELEMENT;

// maps (B, RANK + 2N): what the step sizes are made of, input map, output map.
extern "C" __global__ void __launch_bounds__(128) token_scan(
    const T* __restrict__ u, const T* __restrict__ maps, int pitch, const WEIGHT* __restrict__ steps,
    const float* __restrict__ step_bias, const float* __restrict__ a, const float* __restrict__ d,
    const T* __restrict__ z, int z_pitch, float* __restrict__ state, T* __restrict__ y,
    int channels) {
  constexpr int OWN = N / LANES, VECTOR = RANK % (8 * LANES) == 0 ? 8 : 1;
  int thread = blockIdx.x * blockDim.x + threadIdx.x, part = thread % LANES;
  int channel = min(thread / LANES, channels - 1);
  long sequence = blockIdx.y;
  wait_for_previous();
  const T* own = maps + sequence * pitch;
  float step = 0.f;
  for (int i = part * VECTOR; i < RANK; i += LANES * VECTOR) {
    float w[VECTOR];
    read<VECTOR>(steps + channel * (long)RANK + i, w);
    EACH for (int j = 0; j < VECTOR; j++) step += w[j] * wide(own[i + j]);
  }
  EACH for (int other = LANES / 2; other > 0; other /= 2)
    step += __shfl_xor_sync(ALL, step, other);
  step = Exact<T>::softplus(wide(narrow<T>(step)) + step_bias[channel]);
  float in = wide(u[sequence * channels + channel]), sum = 0.f;
  float* states = state + (sequence * channels + channel) * N + part * OWN;
  const float* rates = a + channel * (long)N + part * OWN;
  bool mine = thread / LANES < channels;
  EACH for (int n = 0; n < OWN; n++) {
    float h = Exact<T>::decay(step * (Exact<T>::RATE * rates[n])) * states[n] +
              step * in * wide(own[RANK + part * OWN + n]);
    if (mine) states[n] = h;
    sum += h * wide(own[RANK + N + part * OWN + n]);
  }
  EACH for (int other = LANES / 2; other > 0; other /= 2)
    sum += __shfl_xor_sync(ALL, sum, other);
  sum += d[channel] * in;
  float gate = wide(z[sequence * z_pitch + channel]);
  if (mine && part == 0)
    y[sequence * channels + channel] = narrow<T>(sum * gate * Exact<T>::sigmoid(gate));
}
