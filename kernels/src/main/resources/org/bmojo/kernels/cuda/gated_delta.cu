// The gated delta rule: head_scan.cuh with values that correct what the state says. Of a chunk with
// keys K, the decays L between its tokens and G = L ⊙ KKᵀ below the diagonal,
//
//   m  = (I + Gβ)⁻¹ (v − what the state before says of K)     what each token finds missing
//   du = (I + βG)⁻ᵀ (the gradient of what tokens write)
//
// and a token writes u = βm. Both solve one unit triangular system a chunk, with the inverses made
// beforehand, all chunks at once (delta_inverses.cu). Then dv = βdu, dβ = du·m, and with z = −βdu
// ssd.cu's walk gives
//
//   dq = y's gradient of ssd with u for values
//   dk = Σ of the walks (u; dy, q) and (u; z, k) back, (z; u, k) forward      (queries; keys, values)
//
// Constants: REVERSED 0 for the forward kernels, 1 for the backward ones; STAGES, RESIDENT.
//
// Floor, (8, 2048, 24 heads, N 128, P 64), bfloat16: forward reads q, k twice, v and writes y and m,
// 500 MB, and an inverse of 100 MB twice: 0.23 ms at 3 TB/s; 59 GFLOP, 0.20 ms at 300 TFLOP/s. Backward
// with its four walks moves 3.1 GB, half of it float32 between them, and computes 270 GFLOP: 1.0 and
// 0.9 ms.
#include "common.cuh"
#include "head_scan.cuh"

constexpr int STAGE = 2 * PLANES * KEYS + PLANES * VALUES;  // two of queries' length, one of values'
constexpr int SQUARE = CHUNK * CHUNK;  // elements of an inverse

// 16 × 16 of an inverse, or of its transpose, as a left operand.
__device__ __forceinline__ void left_of_inverse(
    Block<FINE>& a, const float* inverse, int row, int column) {
  int lane = threadIdx.x % 32;
  EACH for (int part = 0; part < 4; part++) {
    int i = row + lane / 4 + part % 2 * 8, j = column + lane % 4 * 2 + part / 2 * 8;
    float x, y;
    if (REVERSED) {
      x = inverse[j * CHUNK + i];
      y = inverse[(j + 1) * CHUNK + i];
    } else {
      float2 both = *(const float2*)(inverse + i * CHUNK + j);
      x = both.x, y = both.y;
    }
    unsigned both[FINE];
    split<FINE>(both, x, y);
    EACH for (int p = 0; p < FINE; p++) a[p][part] = both[p];
  }
}

// out = the warp's 16 rows of inverse · x, or of its transpose's.
__device__ __forceinline__ void solve(
    float (&out)[TILES][4], const float* inverse, const bf16* x) {
  int own = threadIdx.x / 32 * 16;
  EACH for (int n = 0; n < TILES; n++)
    EACH for (int c = 0; c < 4; c++) out[n][c] = 0.f;
  for (int j = REVERSED ? own : 0; j < (REVERSED ? CHUNK : own + 16); j += 16) {
    Block<FINE> a;
    left_of_inverse(a, inverse, own, j);
    EACH for (int n = 0; n < TILES; n += 2) {
      Block<FINE> b;
      right_planes<FINE, PITCH>(b, x + j * PITCH + 8 * n, VALUES);
      multiply_planes(out[n], out[n + 1], a, b);
    }
  }
}

// The warp's 16 rows to a tile of FINE planes.
__device__ __forceinline__ void spread(bf16* to, const float (&x)[TILES][4]) {
  int lane = threadIdx.x % 32, row = threadIdx.x / 32 * 16 + lane / 4;
  EACH for (int n = 0; n < TILES; n++) {
    EACH for (int half = 0; half < 2; half++) {
      unsigned both[FINE];
      split<FINE>(both, x[n][2 * half], x[n][2 * half + 1]);
      EACH for (int p = 0; p < FINE; p++)
        *(unsigned*)(to + p * VALUES + (row + 8 * half) * PITCH + 8 * n + lane % 4 * 2) = both[p];
    }
  }
}

// What all kernels that walk do with a chunk besides its products.
struct Tiles {
  const Walk& walk;
  bf16* stages;

  // queries and keys (B, T, H, key), values (B, T, H, value)
  __device__ void fetch(int step, const T* queries, const T* keys, const T* values) {
    long first = walk.first(step), line = walk.line(first);
    int rows = (int)min((long)CHUNK, walk.tokens - first), heads = walk.heads;
    bf16* to = stages + step % STAGES * STAGE;
    long stride = (long)heads * walk.key;
    stage<PLANES, KEYS_TO>(to, queries + line * walk.key, stride, rows, walk.key, nullptr, heads);
    to += PLANES * KEYS;
    stage<PLANES, KEYS_TO>(to, keys + line * walk.key, stride, rows, walk.key, nullptr, heads);
    stage<PLANES, COLUMNS>(to + PLANES * KEYS, values + line * walk.value + walk.column,
                           (long)heads * walk.value, rows, walk.columns, nullptr, heads);
  }

  __device__ void fetch_decays(double (&rates)[2], int step, const float* g, const int* begin) {
    long first = walk.first(step) + threadIdx.x * 2;
    EACH for (int i = 0; i < 2; i++)
      rates[i] =
          log_decay(g, begin, walk.sequence, first + i, walk.tokens, walk.heads, walk.head);
  }

  // β of a lane's two rows.
  __device__ void strengths(float (&to)[2], int step, const float* beta) {
    int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
    EACH for (int half = 0; half < 2; half++) {
      long token = walk.first(step) + row + 8 * half;
      to[half] = token < walk.tokens ? beta[walk.line(token)] : 0.f;
    }
  }
};

__device__ __forceinline__ void times(float (&x)[TILES][4], const float (&by)[2]) {
  EACH for (int n = 0; n < TILES; n++)
    EACH for (int c = 0; c < 4; c++) x[n][c] *= by[c / 2];
}

// Grid of both: shares of the values' columns, 1, heads of sequences. States (B, H, key, value).
#if !REVERSED

// y and missing (B, T, H, value); initial null: zero.
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) delta_forward(
    const T* __restrict__ q, const T* __restrict__ k, const T* __restrict__ v,
    const float* __restrict__ beta, const float* __restrict__ g, const int* __restrict__ begin,
    const float* __restrict__ inverses, const float* __restrict__ initial, T* __restrict__ y,
    float* __restrict__ missing, float* __restrict__ last, long tokens, int heads, int key,
    int value, int span) {
  extern __shared__ __align__(16) char memory[];
  bf16 *stages = (bf16*)memory, *shared_state = stages + STAGES * STAGE;
  bf16* tile_x = shared_state + FINE * STATE;
  __shared__ Decays decays[2];
  const Walk walk(tokens, heads, key, value, span);
  Tiles tiles{walk, stages};
  int warp = threadIdx.x / 32, own = warp * 16, lane = threadIdx.x % 32;
  float state[OWN][TILES][4];
  each_of_state(state, [&](float& s, int row, int column) {
    bool real = row < key && column < walk.columns && initial;
    s = real ? initial[walk.state() + (long)row * value + walk.column + column] : 0.f;
  });
  share<FINE>(shared_state, state);
  double rates[2];
  tiles.fetch(0, q, k, v);
  if (warp == 0) tiles.fetch_decays(rates, 0, g, begin);
  for (int step = 0; step < walk.count(); step++) {
    Decays& left_over = decays[step % 2];
    bool more = step + 1 < walk.count();
    if (warp == 0) {
      decay(left_over, rates[0], rates[1]);
      if (more) tiles.fetch_decays(rates, step + 1, g, begin);
    }
    float strengths[2];
    tiles.strengths(strengths, step, beta);
    copies_done();
    __syncthreads();
    if (STAGES == 2 && more) tiles.fetch(step + 1, q, k, v);
    const bf16* queries = stages + step % STAGES * STAGE;
    const bf16 *keys = queries + PLANES * KEYS, *values = keys + PLANES * KEYS;

    float x[TILES][4] = {}, same[2][4];
    {
      Block<PLANES> asked[BLOCKS];
      EACH for (int b = 0; b < BLOCKS; b++)
        left_planes<PLANES, KEY_PITCH>(asked[b], keys + own * KEY_PITCH + 16 * b, KEYS);
      recall<FINE>(x, asked, shared_state);
    }
    scale(x, left_over.from_start);
    EACH for (int n = 0; n < TILES; n++) {
      EACH for (int half = 0; half < 2; half++) {
        const bf16* at = values + (own + lane / 4 + 8 * half) * PITCH + 8 * n + lane % 4 * 2;
        float a = 0.f, b = 0.f;
        EACH for (int p = PLANES - 1; p >= 0; p--) {
          unsigned both = *(const unsigned*)(at + p * VALUES);
          a += low(both);
          b += high(both);
        }
        x[n][2 * half] = a - x[n][2 * half];
        x[n][2 * half + 1] = b - x[n][2 * half + 1];
      }
    }
    spread(tile_x, x);
    __syncthreads();
    solve(x, inverses + (blockIdx.z * (long)walk.end + step) * SQUARE, tile_x);
    store(missing, walk, x, nullptr, walk.first(step));
    times(x, strengths);
    __syncthreads();  // all have read what was missing before
    spread(tile_x, x);
    __syncthreads();

    float out[TILES][4] = {};
    Block<PLANES> query[BLOCKS];
    EACH for (int b = 0; b < BLOCKS; b++)
      left_planes<PLANES, KEY_PITCH>(query[b], queries + own * KEY_PITCH + 16 * b, KEYS);
    recall<PLANES>(out, query, shared_state);
    scale(out, left_over.from_start);
    attend<false, PLANES, PLANES, PLANES>(out, same, query, keys, tile_x, left_over);
    store(y, walk, out, nullptr, walk.first(step));
    forget(state, left_over);
    advance<PLANES, FINE>(state, keys, tile_x, left_over);
    __syncthreads();
    if (STAGES == 1 && more) tiles.fetch(step + 1, q, k, v);
    if (more) share<FINE>(shared_state, state);
  }
  each_of_state(state, [&](float& s, int row, int column) {
    if (row < key && column < walk.columns)
      last[walk.state() + (long)row * value + walk.column + column] = s;
  });
}

#else

// written (B, T, H, value): du; dv the same times β; d_beta (shares, B, H, T).
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) delta_backward(
    const T* __restrict__ q, const T* __restrict__ k, const T* __restrict__ dy,
    const float* __restrict__ beta, const float* __restrict__ g, const int* __restrict__ begin,
    const float* __restrict__ inverses, const float* __restrict__ missing,
    const float* __restrict__ d_last, T* __restrict__ dv, float* __restrict__ written,
    float* __restrict__ d_beta, float* __restrict__ d_initial, long tokens, int heads, int key,
    int value, int span) {
  extern __shared__ __align__(16) char memory[];
  bf16 *stages = (bf16*)memory, *shared_state = stages + STAGES * STAGE;
  bf16* tile_x = shared_state + FINE * STATE;
  __shared__ Decays decays[2];
  const Walk walk(tokens, heads, key, value, span);
  Tiles tiles{walk, stages};
  int warp = threadIdx.x / 32, own = warp * 16;
  float state[OWN][TILES][4];
  each_of_state(state, [&](float& s, int row, int column) {
    bool real = row < key && column < walk.columns && d_last;
    s = real ? d_last[walk.state() + (long)row * value + walk.column + column] : 0.f;
  });
  share<FINE>(shared_state, state);
  double rates[2];
  tiles.fetch(0, k, q, dy);
  if (warp == 0) tiles.fetch_decays(rates, 0, g, begin);
  for (int step = 0; step < walk.count(); step++) {
    Decays& left_over = decays[step % 2];
    bool more = step + 1 < walk.count();
    if (warp == 0) {
      decay(left_over, rates[0], rates[1]);
      if (more) tiles.fetch_decays(rates, step + 1, g, begin);
    }
    float strengths[2];
    tiles.strengths(strengths, step, beta);
    copies_done();
    __syncthreads();
    if (STAGES == 2 && more) tiles.fetch(step + 1, k, q, dy);
    const bf16* keys = stages + step % STAGES * STAGE;
    const bf16 *queries = keys + PLANES * KEYS, *slopes = queries + PLANES * KEYS;
    long first = walk.first(step);

    float x[TILES][4] = {}, same[2][4];
    {
      Block<PLANES> asked[BLOCKS];
      EACH for (int b = 0; b < BLOCKS; b++)
        left_planes<PLANES, KEY_PITCH>(asked[b], keys + own * KEY_PITCH + 16 * b, KEYS);
      recall<FINE>(x, asked, shared_state);
      scale(x, left_over.to_end);
      attend<false, FINE, PLANES, PLANES>(x, same, asked, queries, slopes, left_over);
    }
    spread(tile_x, x);
    __syncthreads();
    solve(x, inverses + (blockIdx.z * (long)walk.end + walk.end - 1 - step) * SQUARE, tile_x);
    store(written, walk, x, nullptr, first);
    dot_rows(d_beta, walk, x, missing, (long)heads * value, value, first);
    times(x, strengths);
    store(dv, walk, x, nullptr, first);
    EACH for (int n = 0; n < TILES; n++)
      EACH for (int c = 0; c < 4; c++) x[n][c] = -x[n][c];
    __syncthreads();  // all have read what there was to solve
    spread(tile_x, x);
    __syncthreads();

    forget(state, left_over);
    advance<PLANES, PLANES>(state, queries, slopes, left_over);
    advance<PLANES, FINE>(state, keys, tile_x, left_over);
    __syncthreads();
    if (STAGES == 1 && more) tiles.fetch(step + 1, k, q, dy);
    if (more) share<FINE>(shared_state, state);
  }
  each_of_state(state, [&](float& s, int row, int column) {
    if (row < key && column < walk.columns)
      d_initial[walk.state() + (long)row * value + walk.column + column] = s;
  });
}

#endif
