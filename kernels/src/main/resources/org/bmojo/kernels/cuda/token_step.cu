// The small parts of one token's way through a model, several sequences at a time: where each
// stands is read on the device, so that a recorded graph of them serves every position. Constants:
// ELEMENT type, WEIGHT of tables and filters, K0 and K1 taps of convolutions.
#include "common.cuh"
#include "pipeline.cuh"

using T = ELEMENT;

// x (B, d) ← rows of the table; cosines and sines (B, half) of each sequence's position.
extern "C" __global__ void token_begin(
    const WEIGHT* __restrict__ table, const long* ids,
    const long* positions, const double* __restrict__ frequencies,
    T* x, float* cosines, float* sines, int width,
    int half) {
  wait_for_previous();
  long sequence = blockIdx.x, id = max(0L, ids[sequence]);
  for (int i = threadIdx.x; i < width; i += blockDim.x)
    x[sequence * width + i] = narrow<T>(wide(table[id * width + i]));
  for (int m = threadIdx.x; m < half; m += blockDim.x) {
    double angle = (double)positions[sequence] * frequencies[m];
    cosines[sequence * half + m] = (float)cos(angle);
    sines[sequence * half + m] = (float)sin(angle);
  }
}

// The likeliest id of each row, the first of equals; then the sequences that are active move on.
extern "C" __global__ void __launch_bounds__(1024) token_end(
    const T* logits, int vocabulary, long* ids,
    long* positions, const long* active) {
  wait_for_previous();
  long sequence = blockIdx.x;
  const T* row = logits + sequence * vocabulary;
  float most = -__int_as_float(0x7f800000);
  int best = vocabulary;
  auto look = [&](float own, int i) {
    if (own > most || (own == most && i < best)) {
      most = own;
      best = i;
    }
  };
  if (vocabulary % 8 == 0) {
    EACH_OF(4) for (int i = threadIdx.x * 8; i < vocabulary; i += blockDim.x * 8) {
      float several[8];
      read<8>(row + i, several);
      EACH for (int j = 0; j < 8; j++) look(several[j], i + j);
    }
  } else {
    for (int i = threadIdx.x; i < vocabulary; i += blockDim.x) look(wide(row[i]), i);
  }
  __shared__ float mosts[1024];
  __shared__ int bests[1024];
  mosts[threadIdx.x] = most;
  bests[threadIdx.x] = best;
  __syncthreads();
  for (int other = blockDim.x / 2; other > 0; other /= 2) {
    if (threadIdx.x < other) {
      float theirs = mosts[threadIdx.x + other];
      int index = bests[threadIdx.x + other];
      if (theirs > mosts[threadIdx.x] ||
          (theirs == mosts[threadIdx.x] && index < bests[threadIdx.x])) {
        mosts[threadIdx.x] = theirs;
        bests[threadIdx.x] = index;
      }
    }
    __syncthreads();
  }
  if (threadIdx.x > 0) return;
  ids[sequence] = bests[0] < vocabulary ? bests[0] : -1;  // none is a number
  positions[sequence] += active[sequence];
}

// silu(conv(x)) of the newest token, the inputs (B, K − 1, channels) before it advanced in place.
template <int K>
__device__ void convolve(
    const T* x, int pitch, const WEIGHT* weight, const WEIGHT* bias, T* state, T* y, int channels,
    bool add) {
  int channel = blockIdx.x * blockDim.x + threadIdx.x;
  if (channel >= channels) return;
  long sequence = blockIdx.y;
  float newest = wide(x[sequence * pitch + channel]), window[K];
  EACH for (int m = 0; m + 1 < K; m++)
    window[m] = wide(state[(sequence * (K - 1) + m) * channels + channel]);
  window[K - 1] = newest;
  float sum = bias ? wide(bias[channel]) : 0.f;
  EACH for (int m = 0; m < K; m++) sum += wide(weight[channel * (long)K + m]) * window[m];
  T out = narrow<T>(sum * Exact<T>::sigmoid(sum));
  if (add) out = narrow<T>(newest + wide(out));
  y[sequence * channels + channel] = out;
  EACH for (int m = 0; m + 1 < K; m++)
    state[(sequence * (K - 1) + m) * channels + channel] = narrow<T>(window[m + 1]);
}

// Two convolutions side by side: the state space's, and the one in front of attention, which is
// added to its input. Either may be missing (no channels).
extern "C" __global__ void token_convolutions(
    const T* x0, int pitch0, const WEIGHT* weight0, const WEIGHT* bias0, T* state0, T* y0,
    int channels0, const T* x1, int pitch1, const WEIGHT* weight1, const WEIGHT* bias1, T* state1,
    T* y1, int channels1) {
  wait_for_previous();
  if (blockIdx.z == 0) {
    convolve<K0>(x0, pitch0, weight0, bias0, state0, y0, channels0, false);
  } else {
    convolve<K1>(x1, pitch1, weight1, bias1, state1, y1, channels1, true);
  }
}
