// One token through a selective state space, from step sizes to gate. Constants: ELEMENT type,
// WEIGHT of the matrix that makes step sizes, N states, RANK of that matrix, LANES threads per
// channel, which share its states and its row, SEQUENCES that a thread takes in turn.
#include "common.cuh"
#include "pipeline.cuh"

using T = ELEMENT;
constexpr int OWN = N / LANES, V = RANK % (8 * LANES) == 0 ? 8 : 1;
constexpr int PIECES = (RANK + LANES * V - 1) / (LANES * V);

// maps (B, RANK + 2N): what the step sizes are made of, input map, output map.
extern "C" __global__ void __launch_bounds__(128) token_scan(
    const T* u, const T* maps, const WEIGHT* __restrict__ steps,
    const float* __restrict__ step_bias, const float* __restrict__ a, const float* __restrict__ d,
    const T* z, int z_pitch, float* state, T* y, int batch, int channels) {
  constexpr int PITCH = RANK + 2 * N;
  int thread = blockIdx.x * blockDim.x + threadIdx.x, part = thread % LANES;
  int channel = min(thread / LANES, channels - 1);
  bool mine = thread / LANES < channels;
  Pack<WEIGHT, V> row[PIECES];
  EACH for (int i = 0; i < PIECES; i++) {
    int at = (i * LANES + part) * V;
    row[i] = at < RANK ? *reinterpret_cast<const Pack<WEIGHT, V>*>(steps + channel * (long)RANK + at)
                       : Pack<WEIGHT, V>{};
  }
  float rates[OWN], bias = step_bias[channel], skip = d[channel], held[OWN];
  long begin = blockIdx.y * (long)SEQUENCES * channels + channel;
  EACH for (int n = 0; n < OWN; n++) {
    rates[n] = Exact<T>::RATE * a[channel * (long)N + part * OWN + n];
    held[n] = state[begin * N + part * OWN + n];  // nobody else writes it
  }
  wait_for_previous();
  for (int s = 0; s < SEQUENCES; s++) {
    long sequence = blockIdx.y * (long)SEQUENCES + s, at = sequence * channels + channel;
    if (sequence >= batch) break;
    const T* own = maps + sequence * PITCH;
    float step = 0.f;
    EACH for (int i = 0; i < PIECES; i++) {
      int from = (i * LANES + part) * V;
      EACH for (int j = 0; j < V; j++)
        if (from < RANK) step += wide(row[i].at[j]) * wide(own[from + j]);
    }
    EACH for (int other = LANES / 2; other > 0; other /= 2)
      step += __shfl_xor_sync(ALL, step, other);
    step = Exact<T>::softplus(wide(narrow<T>(step)) + bias);
    float in = wide(u[at]), gate = wide(z[sequence * z_pitch + channel]), sum = 0.f;
    float* states = state + at * N + part * OWN;
    EACH for (int n = 0; n < OWN; n++) {
      float h = Exact<T>::decay(step * rates[n]) * (s == 0 ? held[n] : states[n]) +
                step * in * wide(own[RANK + part * OWN + n]);
      if (mine) states[n] = h;
      sum += h * wide(own[RANK + N + part * OWN + n]);
    }
    EACH for (int other = LANES / 2; other > 0; other /= 2)
      sum += __shfl_xor_sync(ALL, sum, other);
    sum += skip * in;
    if (mine && part == 0) y[at] = narrow<T>(sum * gate * Exact<T>::sigmoid(gate));
  }
}
