// Recurrences with a matrix per head for a state and one decay for all of it,
//
//   S_i = exp(g_i) · S_{i−1} + key_i value_iᵀ      out_i = S_iᵀ query_i,
//
// in chunks of 64 tokens: products of matrices inside a chunk, one state from chunk to chunk.
// Included after common.cuh. Constants: ELEMENT type of activations, KEYS_TO the length of keys rounded
// up to 32, COLUMNS of the values that a block takes, 32 or 64, ALIGNED 1 where both lengths are
// multiples of 8, REVERSED where time runs backwards: then a token reads what later ones write.
//
// A block walks through the chunks of a segment of one sequence, with one head and some columns of
// the values; its four warps own 16 tokens each of a chunk, and as many rows each of the state, which stays
// in their registers.
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
constexpr int KEY_PITCH = KEYS_TO + 8, PITCH = COLUMNS + 8;
constexpr int KEYS = CHUNK * KEY_PITCH, VALUES = CHUNK * PITCH;  // elements of a tile's plane

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

// `rows` rows of `columns` elements, `stride` apart, on their way into P planes of a tile of CHUNK by
// Wide; zeros around. Rows are multiplied by rates, `heads` apart, unless these are null.
template <int P, int Wide, typename S>
__device__ __forceinline__ void stage(
    bf16* tile, const S* from, long stride, int rows, int columns, const float* rates, int heads) {
  constexpr int PIECES = Wide / 8;
  EACH_OF(4) for (int i = threadIdx.x; i < CHUNK * PIECES; i += THREADS) {
    int row = i / PIECES, column = i % PIECES * 8;
    bool there = row < rows && column < columns;
    bf16* to = tile + row * (Wide + 8) + column;
    const S* at = there ? from + row * stride + column : from;
    if constexpr (ALIGNED && P == 1) {
      copy16(to, (const bf16*)at, there);
    } else {
      float x[8] = {}, rate = there && rates ? rates[row * (long)heads] : 1.f;
      if (there) {
        if (ALIGNED) read<8>(at, x);
        else EACH for (int j = 0; j < 8; j++) x[j] = column + j < columns ? wide(at[j]) : 0.f;
      }
      EACH for (int j = 0; j < 8; j += 2) {
        unsigned both[P];
        split<P>(both, rate * x[j], rate * x[j + 1]);
        EACH for (int p = 0; p < P; p++)
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

constexpr int STATE = KEYS_TO * PITCH;               // elements of a plane of the state
constexpr int TILES = COLUMNS / 8, BLOCKS = KEYS_TO / 16;
constexpr int OWN = (BLOCKS + WARPS - 1) / WARPS;     // blocks of 16 rows of the state, of a warp
constexpr int STEP = 32;                              // keys at a time

// Where a block walks.
struct Walk {
  long tokens, sequence;
  int heads, key, value;                   // how many, and lengths
  int head, column, columns, chunk, end;   // the block's own; the chunks of the segment

  __device__ Walk(long tokens, int heads, int key, int value, int span)
      : tokens(tokens), heads(heads), key(key), value(value) {
    sequence = blockIdx.z / heads;
    head = blockIdx.z % heads;
    column = blockIdx.x * COLUMNS;
    columns = min(COLUMNS, value - column);
    chunk = blockIdx.y * span;
    end = min(chunk + span, (int)((tokens + CHUNK - 1) / CHUNK));
  }

  __device__ int count() const { return end - chunk; }
  __device__ long first(int step) const {
    return (long)(REVERSED ? end - 1 - step : chunk + step) * CHUNK;
  }
  // A token's place among (B, T, H).
  __device__ long line(long token) const { return (sequence * tokens + token) * heads + head; }
  // Where its row begins, in a tensor with so many elements from token to token and head to head.
  __device__ long row(long token, long apart, long head_apart) const {
    return (sequence * tokens + token) * apart + head * head_apart;
  }
  // A state's, among (segments, B, H, …).
  __device__ long state() const {
    return ((long)blockIdx.y * gridDim.z + blockIdx.z) * key * value;
  }
};

// Runs f(value, row, column) over what a lane holds of the state.
template <typename F>
__device__ __forceinline__ void each_of_state(float (&state)[OWN][TILES][4], F f) {
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  EACH for (int r = 0; r < OWN; r++)
    EACH for (int n = 0; n < TILES; n++)
      EACH for (int c = 0; c < 4; c++)
        f(state[r][n][c], (warp * OWN + r) * 16 + lane / 4 + c / 2 * 8, 8 * n + lane % 4 * 2 + c % 2);
}

// The state's planes to shared memory, where all warps read it.
template <int P>
__device__ __forceinline__ void share(bf16* to, const float (&state)[OWN][TILES][4]) {
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  EACH for (int r = 0; r < OWN; r++) {
    if (warp * OWN + r >= BLOCKS) continue;
    EACH for (int n = 0; n < TILES; n++) {
      EACH for (int half = 0; half < 2; half++) {
        unsigned both[P];
        split<P>(both, state[r][n][2 * half], state[r][n][2 * half + 1]);
        int row = (warp * OWN + r) * 16 + lane / 4 + 8 * half;
        EACH for (int p = 0; p < P; p++)
          *(unsigned*)(to + p * STATE + row * PITCH + 8 * n + lane % 4 * 2) = both[p];
      }
    }
  }
}

// out += what S planes of the state say to the warp's 16 queries.
template <int S, int P>
__device__ __forceinline__ void recall(
    float (&out)[TILES][4], const Block<P> (&query)[BLOCKS], const bf16* state) {
  EACH for (int k = 0; k < BLOCKS; k++) {
    EACH for (int n = 0; n < TILES; n += 2) {
      Block<S> b;
      right_planes<S, PITCH>(b, state + 16 * k * PITCH + 8 * n, STATE);
      multiply_planes(out[n], out[n + 1], query[k], b);
    }
  }
}

// out += weights, as W planes, · V planes of values, of 16 tokens.
template <int W, int V>
__device__ __forceinline__ void add(
    float (&out)[TILES][4], const float (&p)[4], const float (&next)[4], const bf16* values) {
  Block<W> a;
  as_left_planes<W>(a, p, next);
  EACH for (int n = 0; n < TILES; n += 2) {
    Block<V> b;
    right_planes<V, PITCH>(b, values + 8 * n, VALUES);
    multiply_planes(out[n], out[n + 1], a, b);
  }
}

// out += what the chunk's own tokens say, to queries of P planes by keys of K, with weights of W and
// values of V; where SEPARATE without what the query's own token says, whose weights go to `same`.
template <bool SEPARATE, int W, int K, int V, int P>
__device__ __forceinline__ void attend(
    float (&out)[TILES][4], float (&same)[2][4], const Block<P> (&query)[BLOCKS],
    const bf16* keys, const bf16* values, const Decays& decays) {
  int lane = threadIdx.x % 32, own = threadIdx.x / 32 * 16;
  int from = REVERSED ? own / STEP * STEP : 0, to = REVERSED ? CHUNK : own + 16;
  for (int key = from; key < to; key += STEP) {
    float p[STEP / 8][4] = {};
    EACH for (int k = 0; k < BLOCKS; k++) {
      EACH for (int n = 0; n < STEP / 8; n += 2) {
        Block<K> b;
        right_of_rows_planes<K, KEY_PITCH>(
            b, keys + (key + 8 * n) * KEY_PITCH + 16 * k, KEYS);
        multiply_planes(p[n], p[n + 1], query[k], b);
      }
    }
    EACH for (int n = 0; n < STEP / 8; n++) {
      EACH for (int c = 0; c < 4; c++) {
        int i = own + lane / 4 + c / 2 * 8, j = key + 8 * n + lane % 4 * 2 + c % 2;
        bool seen = REVERSED ? j > i : j < i;
        if (SEPARATE && i / 16 == j / 16) same[n % 2][c] = i == j ? p[n][c] : 0.f;
        if (!SEPARATE && i == j) continue;
        p[n][c] *= seen ? decays.between(REVERSED ? j : i, REVERSED ? i : j) : 0.f;
      }
    }
    EACH for (int n = 0; n < STEP / 8; n += 2)
      add<W, V>(out, p[n], p[n + 1], values + (key + 8 * n) * PITCH);
  }
}

// What is left of the state after the chunk.
__device__ __forceinline__ void forget(float (&state)[OWN][TILES][4], const Decays& decays) {
  EACH for (int r = 0; r < OWN; r++)
    EACH for (int n = 0; n < TILES; n++)
      EACH for (int c = 0; c < 4; c++) state[r][n][c] *= decays.whole;
}

// state += what the chunk's tokens write: keys of K planes, scaled, and values of V.
template <int K, int V>
__device__ __forceinline__ void advance(
    float (&state)[OWN][TILES][4], const bf16* keys, const bf16* values, const float* left_of) {
  int warp = threadIdx.x / 32;
  if (warp * OWN >= BLOCKS) return;
  EACH for (int j = 0; j < CHUNK; j += 16) {
    Block<FINE> a[OWN];
    EACH for (int r = 0; r < OWN; r++) {
      int row = min(warp * OWN + r, BLOCKS - 1) * 16;
      scaled_of_transposed<K, KEY_PITCH>(a[r], keys + j * KEY_PITCH + row, KEYS, left_of + j);
    }
    EACH for (int n = 0; n < TILES; n += 2) {
      Block<V> b;
      right_planes<V, PITCH>(b, values + j * PITCH + 8 * n, VALUES);
      EACH for (int r = 0; r < OWN; r++) multiply_planes(state[r][n], state[r][n + 1], a[r], b);
    }
  }
}
template <int K, int V>
__device__ __forceinline__ void advance(
    float (&state)[OWN][TILES][4], const bf16* keys, const bf16* values, const Decays& decays) {
  advance<K, V>(state, keys, values, REVERSED ? decays.from_start : decays.to_end);
}

// Σ out · along of the warp's 16 rows, over the columns of the block.
template <typename S>
__device__ __forceinline__ void dot_rows(
    float* to, const Walk& walk, const float (&out)[TILES][4], const S* along, long apart,
    long head_apart, long first) {
  int lane = threadIdx.x % 32, own = threadIdx.x / 32 * 16;
  EACH for (int half = 0; half < 2; half++) {
    long token = first + own + lane / 4 + 8 * half;
    bool there = token < walk.tokens;
    const S* row = along + walk.row(there ? token : first, apart, head_apart) + walk.column;
    float sum = 0.f;
    EACH for (int n = 0; n < TILES; n++) {
      EACH for (int c = 0; c < 2; c++) {
        int column = 8 * n + lane % 4 * 2 + c;
        if (column < walk.columns) sum += out[n][2 * half + c] * wide(row[column]);
      }
    }
    sum = quad_sum(sum);
    long head = (long)blockIdx.x * gridDim.z + blockIdx.z;
    if (there && lane % 4 == 0) to[head * walk.tokens + token] = sum;
  }
}

// The warp's 16 rows, with those of `more` added unless it is null.
template <typename S>
__device__ __forceinline__ void store(
    S* to, const Walk& walk, const float (&out)[TILES][4], const float* more, long first) {
  int lane = threadIdx.x % 32, own = threadIdx.x / 32 * 16;
  each_row(out, [&](int half, int column, float (&x)[8]) {
    long token = first + own + lane / 4 + 8 * half;
    if (token >= walk.tokens || column >= walk.columns) return;
    long at = walk.line(token) * walk.value + walk.column + column;
    EACH for (int j = 0; j < 8; j++)
      if (more && column + j < walk.columns) x[j] += more[at + j];
    if (ALIGNED) write<8>(to + at, x);
    else EACH for (int j = 0; j < 8; j++)
      if (column + j < walk.columns) to[at + j] = narrow<S>(x[j]);
  });
}

// The rows of a lane, scaled by what is left of things at its tokens.
__device__ __forceinline__ void scale(float (&out)[TILES][4], const float* by) {
  int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
  EACH for (int n = 0; n < TILES; n++)
    EACH for (int c = 0; c < 4; c++) out[n][c] *= by[row + c / 2 * 8];
}
