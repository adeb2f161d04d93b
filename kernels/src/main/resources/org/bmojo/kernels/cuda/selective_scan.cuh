// What the passes of the selective scan share. Included after common.cuh; ELEMENT is the activations'
// type, N the states of a channel, PACKED 1 where rows hold several documents: then `begin` (B, T) says
// with which token that of each begins, else it is not read.

using T = ELEMENT;
using Exactly = Exact<T>;

template <int COUNT>
struct Raw : Words<T, COUNT> {
  // row[at … at + COUNT − 1], zeros from limit on and where outside; V is COUNT or 1.
  template <int V>
  __device__ __forceinline__ void fetch(const T* row, int at, int limit, bool inside) {
    this->clear();
    if (V == COUNT) {
      if (inside && at < limit) this->load(row + at);
    } else {
      EACH for (int i = 0; i < COUNT; i++) {
        if (!inside || at + i >= limit) continue;
        unsigned bits = __float_as_uint(wide(row[at + i]));
        this->word[sizeof(T) == 4 ? i : i / 2] |= sizeof(T) == 4 || i % 2 ? bits : bits >> 16;
      }
    }
  }
};

template <int V, int COUNT>
__device__ __forceinline__ void store(T* row, int at, int limit, const float (&from)[COUNT]) {
  if (V == COUNT) {
    if (at < limit) write<COUNT>(row + at, from);
  } else {
    EACH for (int i = 0; i < COUNT; i++)
      if (at + i < limit) row[at + i] = narrow<T>(from[i]);
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
