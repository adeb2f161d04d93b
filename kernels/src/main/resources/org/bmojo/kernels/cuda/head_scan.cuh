// Recurrences with a matrix per head for a state and one decay for all of it,
//
//   S_i = exp(g_i) · S_{i−1} + key_i value_iᵀ      out_i = S_iᵀ query_i,
//
// in chunks of 64 tokens: products of matrices inside a chunk, one state from chunk to chunk.
// Included after common.cuh. Constants: ELEMENT type of activations, KEY and VALUE lengths.
//
// Operands are sums of planes of bfloat16, each the rounding error of those before it: one plane is
// exact where activations are bfloat16, three are float32. Where a result is float32 (states, decays'
// gradients) two planes stand for what has been multiplied by a decay, so that its error is 2⁻¹⁷.
#define WARPS 4
#include "matrix.cuh"

using T = ELEMENT;

constexpr int CHUNK = ROWS;                                // tokens
constexpr int PLANES = sizeof(T) == 2 ? 1 : 3;             // of an activation
constexpr int FINE = PLANES == 1 ? 2 : 3;                  // of what shall keep a float's digits
constexpr int WIDE_KEY = (KEY + 31) / 32 * 32, KEY_PITCH = WIDE_KEY + 8;
constexpr int COLUMNS = VALUE > 32 ? 64 : 32, PITCH = COLUMNS + 8;  // of a block's share of values
constexpr int KEYS = CHUNK * KEY_PITCH, VALUES = CHUNK * PITCH;     // elements of a tile's plane
constexpr bool ALIGNED = KEY % 8 == 0 && VALUE % 8 == 0;

__device__ __forceinline__ float low(unsigned both) { return __uint_as_float(both << 16); }
__device__ __forceinline__ float high(unsigned both) { return __uint_as_float(both & 0xffff0000u); }

// Two floats as sums of P planes.
template <int P>
__device__ __forceinline__ void split(unsigned (&to)[P], float a, float b) {
  EACH for (int p = 0; p < P; p++) {
    to[p] = packed(a, b);
    a -= low(to[p]);
    b -= high(to[p]);
  }
}

// A 16 × 16 block of an operand as P planes of fragments.
template <int P>
using Block = unsigned[P][4];

// d += a · b, 16 × 16 by 16 × 16; products of planes beyond the finer operand's last are nothing.
template <int P, int Q>
__device__ __forceinline__ void multiply_planes(
    float (&d)[4], float (&next)[4], const Block<P>& a, const Block<Q>& b) {
  constexpr int FINEST = P > Q ? P : Q;
  EACH for (int i = P - 1; i >= 0; i--)
    EACH for (int j = Q - 1; j >= 0; j--)
      if (i + j < FINEST) multiply(d, next, a[i], b[j]);
}

template <int P, int Pitch>
__device__ __forceinline__ void left_planes(Block<P>& a, const bf16* block, int plane) {
  EACH for (int p = 0; p < P; p++) left<Pitch>(a[p], block + p * plane);
}
template <int P, int Pitch>
__device__ __forceinline__ void right_planes(Block<P>& b, const bf16* block, int plane) {
  EACH for (int p = 0; p < P; p++) right<Pitch>(b[p], block + p * plane);
}
template <int P, int Pitch>
__device__ __forceinline__ void right_of_rows_planes(Block<P>& b, const bf16* block, int plane) {
  EACH for (int p = 0; p < P; p++) right_of_rows<Pitch>(b[p], block + p * plane);
}

// Two 16 × 8 results side by side as a left operand of P planes.
template <int P>
__device__ __forceinline__ void as_left_planes(
    Block<P>& a, const float (&d)[4], const float (&next)[4]) {
  EACH for (int part = 0; part < 4; part++) {
    unsigned both[P];
    const float* from = part < 2 ? d : next;
    split<P>(both, from[part % 2 * 2], from[part % 2 * 2 + 1]);
    EACH for (int p = 0; p < P; p++) a[p][part] = both[p];
  }
}

// The transposed 16 tokens by 16 of a tile as a left operand, tokens scaled. scale: of the first.
template <int P, int Pitch>
__device__ __forceinline__ void scaled_of_transposed(
    Block<FINE>& a, const bf16* block, int plane, const float* scale) {
  int pair = threadIdx.x % 4 * 2;
  Block<P> raw;
  EACH for (int p = 0; p < P; p++) left_of_transposed<Pitch>(raw[p], block + p * plane);
  EACH for (int part = 0; part < 4; part++) {
    float x = 0.f, y = 0.f;
    EACH for (int p = P - 1; p >= 0; p--) {
      x += low(raw[p][part]);
      y += high(raw[p][part]);
    }
    float2 by = *(const float2*)(scale + pair + part / 2 * 8);
    unsigned both[FINE];
    split<FINE>(both, x * by.x, y * by.y);
    EACH for (int p = 0; p < FINE; p++) a[p][part] = both[p];
  }
}

// `rows` rows of `columns` elements, `stride` apart, on their way into the planes of a tile of
// CHUNK by Wide; zeros around.
template <int Wide>
__device__ __forceinline__ void stage(
    bf16* tile, const T* from, long stride, int rows, int columns) {
  constexpr int PIECES = Wide / 8;
  EACH_OF(4) for (int i = threadIdx.x; i < CHUNK * PIECES; i += THREADS) {
    int row = i / PIECES, column = i % PIECES * 8;
    bool there = row < rows && column < columns;
    bf16* to = tile + row * (Wide + 8) + column;
    const T* at = there ? from + row * stride + column : from;
    if constexpr (ALIGNED && PLANES == 1) {
      copy16(to, (const bf16*)at, there);
    } else {
      float x[8] = {};
      if (there) {
        if (ALIGNED) read<8>(at, x);
        else EACH for (int j = 0; j < 8; j++) x[j] = column + j < columns ? wide(at[j]) : 0.f;
      }
      EACH for (int j = 0; j < 8; j += 2) {
        unsigned both[PLANES];
        split<PLANES>(both, x[j], x[j + 1]);
        EACH for (int p = 0; p < PLANES; p++)
          *(unsigned*)(to + p * CHUNK * (Wide + 8) + j) = both[p];
      }
    }
  }
}

// exp2 of less than this is nothing, and sums of 64 such keep their digits in two floats.
constexpr float FORGOTTEN = -65536.f;

// What is left of things inside a chunk. Sums of log₂ of the decays from the chunk's first token on,
// each as two floats: a difference of two sums keeps its digits however much was forgotten before.
struct alignas(16) Decays {
  float sum[CHUNK], rest[CHUNK];
  float from_start[CHUNK], to_end[CHUNK], whole;

  // Of what the token `written` wrote, at the later token `at`.
  __device__ __forceinline__ float between(int at, int written) const {
    return exp2_fast((sum[at] - sum[written]) + (rest[at] - rest[written]));
  }
};

// log₂ of the decay of a token: nothing is left where a document begins.
__device__ __forceinline__ double log_decay(
    const float* g, const int* begin, long sequence, long token, long tokens, int heads, int head) {
  if (token >= tokens) return 0.;
  long at = sequence * tokens + token;
  if (begin && begin[at] == token) return FORGOTTEN;
  double rate = 1.4426950408889634 * g[at * heads + head];
  return rate < FORGOTTEN ? FORGOTTEN : rate;
}

// By one warp, whose lane brings two neighbours.
__device__ __forceinline__ void decay(Decays& to, double first, double second) {
  int lane = threadIdx.x % 32;
  double sum = first + second;
  EACH for (int back = 1; back < 32; back *= 2) {
    double before = __shfl_up_sync(ALL, sum, back);
    if (lane >= back) sum += before;
  }
  double whole = __shfl_sync(ALL, sum, 31);
  double sums[2] = {sum - second, sum};
  EACH for (int i = 0; i < 2; i++) {
    int t = 2 * lane + i;
    float rounded = (float)sums[i];
    to.sum[t] = rounded;
    to.rest[t] = (float)(sums[i] - rounded);
    to.from_start[t] = exp2f(rounded);
    to.to_end[t] = exp2f((float)(whole - sums[i]));
  }
  if (lane == 0) to.whole = exp2f((float)whole);
}
