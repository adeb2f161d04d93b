// What the passes of the selective scan share. Included after common.cuh; ELEMENT is the activations'
// type, N the states of a channel, PACKED 1 where rows hold several documents: then `begin` (B, T) says
// with which token that of each begins, else it is not read.

using T = ELEMENT;
using Exactly = Exact<T>;

// COUNT elements as they lie in memory, in words: loaded as halves, they would be waited for at once.
template <int COUNT>
struct Raw {
  static constexpr int BYTES = COUNT * (int)sizeof(T), WORDS = (BYTES + 3) / 4;
  unsigned word[WORDS];

  __device__ __forceinline__ float operator[](int i) const {
    if (sizeof(T) == 4) return __uint_as_float(word[i]);
    unsigned w = word[i / 2];
    return __uint_as_float(i % 2 ? w & 0xffff0000u : w << 16);
  }

  // row[at … at + COUNT − 1], zeros from limit on and where outside; V is COUNT or 1.
  template <int V>
  __device__ __forceinline__ void fetch(const T* row, int at, int limit, bool inside) {
    EACH for (int w = 0; w < WORDS; w++) word[w] = 0;
    if (V < COUNT || BYTES < 4) {
      EACH for (int i = 0; i < COUNT; i++) {
        if (!inside || at + i >= limit) continue;
        unsigned bits = __float_as_uint(wide(row[at + i]));
        word[sizeof(T) == 4 ? i : i / 2] |= sizeof(T) == 4 || i % 2 ? bits : bits >> 16;
      }
    } else if (inside && at < limit) {
      constexpr int EACH_LOAD = WORDS < 4 ? WORDS : 4;
      EACH for (int w = 0; w < WORDS; w += EACH_LOAD) {
        auto some = reinterpret_cast<const Pack<unsigned, EACH_LOAD>*>(row + at)[w / EACH_LOAD];
        EACH for (int i = 0; i < EACH_LOAD; i++) word[w + i] = some.at[i];
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
