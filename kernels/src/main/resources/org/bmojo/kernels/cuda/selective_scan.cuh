// What the passes of the selective scan share. Included after common.cuh; ELEMENT is the activations'
// type, N the states of a channel, PACKED 1 where rows hold several documents: then `begin` (B, T) says
// with which token that of each begins, else it is not read.

using T = ELEMENT;
using Exactly = Exact<T>;

constexpr float NEVER = -1e30f;  // a Δ before softplus whose step is zero

template <int COUNT>
struct Raw : Words<T, COUNT> {
  // The first `there` of from[0 … COUNT − 1], `empty` for the rest; V is COUNT (there: all or none)
  // or 1. Only the upper half of empty counts.
  template <int V>
  __device__ __forceinline__ void fetch(const T* from, int there, float empty = 0.f) {
    unsigned fill = __float_as_uint(empty) & 0xffff0000u;
    EACH for (int w = 0; w < Raw::COUNT; w++) this->word[w] = sizeof(T) == 4 ? fill : fill | fill >> 16;
    if (V == COUNT) {
      if (there > 0) this->load(from);
    } else {
      EACH for (int i = 0; i < COUNT; i++) {
        if (i >= there) continue;
        unsigned bits = __float_as_uint(wide(from[i])), &word = this->word[sizeof(T) == 4 ? i : i / 2];
        word = sizeof(T) == 4 ? bits : i % 2 ? word & 0xffffu | bits : word & 0xffff0000u | bits >> 16;
      }
    }
  }
};

template <int V, int COUNT>
__device__ __forceinline__ void store(T* to, int there, const float (&from)[COUNT]) {
  if (V == COUNT) {
    if (there > 0) write<COUNT>(to, from);
  } else {
    EACH for (int i = 0; i < COUNT; i++)
      if (i < there) to[i] = narrow<T>(from[i]);
  }
}

template <int COUNT>
__device__ __forceinline__ void spread(const Raw<COUNT>& from, float* to) {
  Pack<float, COUNT> wider;
  EACH for (int i = 0; i < COUNT; i++) wider.at[i] = from[i];
  *reinterpret_cast<Pack<float, COUNT>*>(to) = wider;
}

constexpr int BETWEEN = 16;   // tokens between checkpoints
constexpr int LANES = 32;     // channels of a block

// The states of a block's channels before token index · BETWEEN: (N, LANES).
__device__ __forceinline__ long checkpoint(long index, long tokens) {
  long count = (tokens + BETWEEN - 1) / BETWEEN;
  return ((blockIdx.y * count + index) * gridDim.x + blockIdx.x) * N * LANES;
}
