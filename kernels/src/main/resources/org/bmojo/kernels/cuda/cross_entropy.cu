// Softmax cross-entropy of a block of logits, in place. Constants: ELEMENT type, VECTOR per load.
// A block per row: one pass for maximum and sum together, one (from the cache) for the gradient.
#include "common.cuh"

using T = ELEMENT;
using Exactly = Exact<T>;
constexpr int THREADS = 512;

// Maximum so far, and the sum of exp(x − maximum).
struct Soft {
  float most, sum;

  __device__ void add(float x) {
    if (x > most) {
      sum = sum * Exactly::decay((most - x) * Exactly::RATE) + 1.f;
      most = x;
    } else {
      sum += Exactly::decay((x - most) * Exactly::RATE);
    }
  }

  __device__ void merge(float other_most, float other_sum) {
    float top = fmaxf(most, other_most);
    if (top == -__int_as_float(0x7f800000)) return;  // nothing on either side
    sum = sum * Exactly::decay((most - top) * Exactly::RATE) +
          other_sum * Exactly::decay((other_most - top) * Exactly::RATE);
    most = top;
  }
};

// logits (rows, vocabulary) become scale · (softmax − one-hot) where asked for.
extern "C" __global__ void __launch_bounds__(THREADS) cross_entropy(
    T* __restrict__ logits, const long* __restrict__ targets, float* __restrict__ losses,
    long vocabulary, float scale, int gradients) {
  T* row = logits + blockIdx.x * vocabulary;
  long target = targets[blockIdx.x];
  bool ignored = target == -100;
  Soft soft{-__int_as_float(0x7f800000), 0.f};
  for (long i = threadIdx.x * VECTOR; i < vocabulary; i += THREADS * VECTOR) {
    float x[VECTOR];
    read<VECTOR>(row + i, x);
    EACH for (int j = 0; j < VECTOR; j++) soft.add(x[j]);
  }
  EACH for (int other = 16; other > 0; other /= 2) {
    float most = __shfl_xor_sync(ALL, soft.most, other);
    float sum = __shfl_xor_sync(ALL, soft.sum, other);
    soft.merge(most, sum);
  }
  __shared__ float mosts[THREADS / 32], sums[THREADS / 32];
  if (threadIdx.x % 32 == 0) {
    mosts[threadIdx.x / 32] = soft.most;
    sums[threadIdx.x / 32] = soft.sum;
  }
  __syncthreads();
  soft = Soft{-__int_as_float(0x7f800000), 0.f};
  for (int i = 0; i < THREADS / 32; i++) soft.merge(mosts[i], sums[i]);
  float log_sum = soft.most + logf(soft.sum);
  if (threadIdx.x == 0) losses[blockIdx.x] = ignored ? 0.f : log_sum - wide(row[target]);
  if (!gradients) return;
  __syncthreads();  // the target's logit has been read
  float weight = ignored ? 0.f : scale, inverse = 1.f / soft.sum;
  for (long i = threadIdx.x * VECTOR; i < vocabulary; i += THREADS * VECTOR) {
    float x[VECTOR];
    read<VECTOR>(row + i, x);
    EACH for (int j = 0; j < VECTOR; j++) {
      float share = Exactly::decay((x[j] - soft.most) * Exactly::RATE) * inverse;
      x[j] = weight * (share - (i + j == target ? 1.f : 0.f));
    }
    write<VECTOR>(row + i, x);
  }
}
