// What the passes of the selective scan share. Included after common.cuh; ELEMENT is the activations'
// type, N the states of a channel.

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
constexpr int CHANNELS = 32;  // of a block

// The states of a block's channels before token index · BETWEEN: (N, CHANNELS).
__device__ __forceinline__ long checkpoint(long index, long tokens) {
  long count = (tokens + BETWEEN - 1) / BETWEEN;
  return ((blockIdx.y * count + index) * gridDim.x + blockIdx.x) * N * CHANNELS;
}

// Products on tensor cores. Lane 4g + j holds rows g, g + 8 and columns 2j, 2j + 1 of d.

// d = a · b, 16 × 8 by 8 × 8, of whose numbers the ten leading bits count: rows g, g + 8 and columns
// j, then j + 4 of a; rows j, j + 4 of column g of b.
__device__ __forceinline__ void multiply_tf32(
    float (&d)[4], const float (&a)[4], float b0, float b1) {
  asm("{\n.reg .f32 z;\nmov.f32 z, 0f00000000;\n"
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {z, z, z, z};\n}"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])),
        "r"(__float_as_uint(a[3])), "r"(__float_as_uint(b0)), "r"(__float_as_uint(b1)));
}

// The same, added to d.
__device__ __forceinline__ void add_tf32(float (&d)[4], const float (&a)[4], float b0, float b1) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])),
        "r"(__float_as_uint(a[3])), "r"(__float_as_uint(b0)), "r"(__float_as_uint(b1)));
}

// d = a · b, 16 × 16 by 16 × 8 in bfloat16: rows g, g + 8 and columns 2j, 2j + 1, then the same 8
// further, of a; rows 2j, 2j + 1, then 8 further, of column g of b.
__device__ __forceinline__ void multiply_bf16(
    float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm("{\n.reg .f32 z;\nmov.f32 z, 0f00000000;\n"
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {z, z, z, z};\n}"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// d += a · b, 16 × 8 by 8 × 8 in bfloat16: the first half of the operands above.
__device__ __forceinline__ void add_bf16(float (&d)[4], const unsigned (&a)[2], unsigned b) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(b));
}
