// What the passes of the selective scan share. Included after common.cuh; ELEMENT is the activations'
// type, N the states of a channel.

using T = ELEMENT;
using Exactly = Exact<T>;

// row[at … at + COUNT − 1], zeros from limit on and where outside; V is COUNT or 1.
template <int V, int COUNT>
__device__ __forceinline__ Pack<T, COUNT> fetch(const T* row, int at, int limit, bool inside) {
  Pack<T, COUNT> some{};
  if (!inside) return some;
  if (V == COUNT) {
    if (at < limit) some = *reinterpret_cast<const Pack<T, COUNT>*>(row + at);
  } else {
    EACH for (int i = 0; i < COUNT; i++)
      if (at + i < limit) some.at[i] = row[at + i];
  }
  return some;
}

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
__device__ __forceinline__ void spread(const Pack<T, COUNT>& from, float* to) {
  Pack<float, COUNT> wider;
  EACH for (int i = 0; i < COUNT; i++) wider.at[i] = wide(from.at[i]);
  *reinterpret_cast<Pack<float, COUNT>*>(to) = wider;
}

constexpr int BETWEEN = 16;   // tokens between checkpoints
constexpr int CHANNELS = 32;  // of a block

// The states of a block's channels before token index · BETWEEN: (N, CHANNELS).
__device__ __forceinline__ long checkpoint(long index, long tokens) {
  long count = (tokens + BETWEEN - 1) / BETWEEN;
  return ((blockIdx.y * count + index) * gridDim.x + blockIdx.x) * N * CHANNELS;
}

// d += a · b on tensor cores, 16 × 8 by 8 × 8. Lane 4g + j holds rows g, g + 8, columns 2j, 2j + 1
// of d; rows g, g + 8, columns j, then j + 4 of a; rows j, j + 4 of column g of b. Of a and b the
// ten leading bits count.
__device__ __forceinline__ void multiply_tf32(
    float (&d)[4], const float (&a)[4], float b0, float b1) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])),
        "r"(__float_as_uint(a[3])), "r"(__float_as_uint(b0)), "r"(__float_as_uint(b1)));
}
