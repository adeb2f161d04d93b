// What all kernels share: the two element types, four elements at a time, fast functions of the
// special-function unit, and sums in a fixed order.

#define EACH _Pragma("unroll")
#define PRAGMA(text) _Pragma(#text)
#define EACH_OF(count) PRAGMA(unroll count)

// The upper half of a float.
struct bf16 {
  unsigned short bits;
};

__device__ __forceinline__ float wide(float x) { return x; }
__device__ __forceinline__ float wide(bf16 x) { return __uint_as_float((unsigned)x.bits << 16); }

// Two floats, rounded to nearest even: a in the low half.
__device__ __forceinline__ unsigned packed(float a, float b) {
  unsigned both;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(b), "f"(a));
  return both;
}

template <typename T>
__device__ __forceinline__ T narrow(float x);
template <>
__device__ __forceinline__ float narrow<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ bf16 narrow<bf16>(float x) {
  return bf16{(unsigned short)packed(x, 0.f)};
}

// V elements as they lie in memory, V in {1, 4, 8}.
template <typename T, int V>
struct alignas(sizeof(T) * V) Pack {
  T at[V];
};

template <int V, typename T>
__device__ __forceinline__ void read(const T* from, float (&to)[V]) {
  Pack<T, V> pack = *reinterpret_cast<const Pack<T, V>*>(from);
  EACH for (int i = 0; i < V; i++) to[i] = wide(pack.at[i]);
}

template <int V, typename T>
__device__ __forceinline__ void write(T* to, const float (&from)[V]) {
  Pack<T, V> pack;
  EACH for (int i = 0; i < V; i++) pack.at[i] = narrow<T>(from[i]);
  *reinterpret_cast<Pack<T, V>*>(to) = pack;
}

// V elements on their way from memory, in words. As Pack, bfloat16 would be taken apart into halves
// wherever a condition decides about the load, at once: it would be waited for where it is asked for.
template <typename T, int V>
struct Words {
  static constexpr int BYTES = V * (int)sizeof(T), COUNT = (BYTES + 3) / 4;
  static constexpr int AT_ONCE = COUNT < 4 ? COUNT : 4;
  unsigned word[COUNT];

  __device__ __forceinline__ void clear() {
    EACH for (int w = 0; w < COUNT; w++) word[w] = 0;
  }

  __device__ __forceinline__ void load(const T* from) {
    if (BYTES < 4) {
      word[0] = *reinterpret_cast<const unsigned short*>(from);
    } else {
      EACH for (int w = 0; w < COUNT; w += AT_ONCE) {
        auto some = reinterpret_cast<const Pack<unsigned, AT_ONCE>*>(from)[w / AT_ONCE];
        EACH for (int i = 0; i < AT_ONCE; i++) word[w + i] = some.at[i];
      }
    }
  }

  __device__ __forceinline__ float operator[](int i) const {
    if (sizeof(T) == 4) return __uint_as_float(word[i]);
    unsigned w = word[i / 2];
    return __uint_as_float(i % 2 ? w & 0xffff0000u : w << 16);
  }
};

// 2^x within 2 ulp, one instruction.
__device__ __forceinline__ float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ float reciprocal_fast(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

constexpr float LOG2E = 1.4426950408889634f;

// Functions as exact as the element type deserves.
template <typename T>
struct Exact {
  static constexpr float RATE = 1.f;  // decay(RATE · x) is eˣ
  __device__ static float decay(float x) { return expf(x); }
  __device__ static float sigmoid(float x) { return 1.f / (1.f + expf(-x)); }
  __device__ static float softplus(float x) { return fmaxf(x, 0.f) + log1pf(expf(-fabsf(x))); }
};
template <>
struct Exact<bf16> {
  static constexpr float RATE = LOG2E;
  __device__ static float decay(float x) { return exp2_fast(x); }
  __device__ static float sigmoid(float x) {
    return reciprocal_fast(1.f + exp2_fast(-LOG2E * x));
  }
  // log(1 + e) = e · P(e) on [0, 1], within 1.3e-6 of it: keeps the digits of small steps.
  __device__ static float softplus(float x) {
    float e = exp2_fast(-LOG2E * fabsf(x)), series = 0.014141022f;
    series = series * e - 0.066401809f;
    series = series * e + 0.149223894f;
    series = series * e - 0.235038623f;
    series = series * e + 0.331094503f;
    series = series * e - 0.499869645f;
    series = series * e + 0.999998748f;
    return fmaxf(x, 0.f) + e * series;
  }
};

constexpr unsigned ALL = 0xffffffffu;

// The sum over the lanes of a warp, in every lane.
__device__ __forceinline__ float warp_sum(float x) {
  EACH for (int other = 16; other > 0; other /= 2) x += __shfl_xor_sync(ALL, x, other);
  return x;
}

// A row of Width elements held by Threads threads: one warp, or the whole block; V at a time.
template <typename T, int Width, int V, int Threads>
struct Row {
  static constexpr int ITEMS = (Width + V * Threads - 1) / (V * Threads);
  float at[ITEMS][V];

  // Where element 0 of an item lies; Width or more: nowhere.
  __device__ static int column(int item) { return (item * Threads + threadIdx.x % Threads) * V; }

  // As it lies in memory: fewer registers, for a row that is on its way.
  struct Raw {
    Words<T, V> at[ITEMS];

    __device__ void load(const T* row) {
      EACH for (int i = 0; i < ITEMS; i++) {
        at[i].clear();
        if (column(i) < Width) at[i].load(row + column(i));
      }
    }
  };

  __device__ void take(const Raw& raw) {
    EACH for (int i = 0; i < ITEMS; i++)
      EACH for (int j = 0; j < V; j++) at[i][j] = raw.at[i][j];
  }

  __device__ void load(const T* row) {
    Raw raw;
    raw.load(row);
    take(raw);
  }

  __device__ void store(T* row) const {
    EACH for (int i = 0; i < ITEMS; i++)
      if (column(i) < Width) write<V>(row + column(i), at[i]);
  }

  template <typename F>
  __device__ void each(F f) {
    EACH for (int i = 0; i < ITEMS; i++)
      EACH for (int j = 0; j < V; j++) at[i][j] = f(at[i][j], i, j);
  }

  // Σ f(i, j), the same in all threads of the row.
  template <typename F>
  __device__ static float sum(F f) {
    float x = 0.f;
    EACH for (int i = 0; i < ITEMS; i++)
      EACH for (int j = 0; j < V; j++) x += f(i, j);
    x = warp_sum(x);
    if (Threads == 32) return x;
    __shared__ float warps[32];
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
    __syncthreads();
    x = threadIdx.x % 32 < Threads / 32 ? warps[threadIdx.x % 32] : 0.f;
    __syncthreads();  // before the next sum writes
    return warp_sum(x);
  }
};

// parts (count, width) → their sum (width), by blocks of 32 columns and 32 rows at a time.
template <typename T>
__device__ void sum_columns(const float* parts, T* total, int count, long width) {
  __shared__ float rows[32][32];
  int lane = threadIdx.x % 32, row = threadIdx.x / 32;
  long column = blockIdx.x * 32L + lane;
  float sum = 0.f;
  if (column < width) {
    EACH_OF(8) for (int i = row; i < count; i += 32) sum += parts[i * width + column];
  }
  rows[row][lane] = sum;
  __syncthreads();
  if (row > 0 || column >= width) return;
  for (int i = 1; i < 32; i++) sum += rows[i][lane];
  total[column] = narrow<T>(sum);
}
