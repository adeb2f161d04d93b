// Mamba-2's recurrence (head_scan.cuh), which is its own gradient: with other tensors for queries,
// keys and values, and time reversed, the same kernel gives y, dq, dk and dv.
//
//          queries  keys  values   time      dotted with
//   y      q        k     v        forward
//   dq     dy       v     k        forward   q
//   dk     v        dy    q        reversed  k
//   dv     k        q     dy       reversed
//
// and the gradient of a decay is the sum over what is later of q·dq − k·dk. A block walks through
// the chunks of a segment of one sequence, with one head and 64 columns of the values, the state in
// registers; no score, mask or state of a chunk touches memory. Constants: ELEMENT, KEY, VALUE,
// REVERSED, OUTPUT 0 where only the state is wanted, DOTS 1 where the output is dotted (and must be
// precise), STAGES of tiles, RESIDENT blocks that shall fit on a multiprocessor.
//
// Floor, (8, 2048, 24 heads, N 128, P 64), bfloat16: forward reads q, k, v and writes y, 302 MB, 0.10
// ms at 3 TB/s; 29 GFLOP with the state's two planes, 0.10 ms at 300 TFLOP/s. Backward's three walks
// move 1.1 GB and compute 113 GFLOP: 0.37 and 0.38 ms.
#include "common.cuh"
#include "head_scan.cuh"

constexpr int READ = PLANES == 3 ? 3 : DOTS ? 2 : 1;  // planes of weights and of the state that is read
constexpr int STAGE = PLANES * (2 * KEYS + VALUES);   // queries, keys, values
constexpr int STATE = WIDE_KEY * PITCH;               // elements of a plane of the state
constexpr int TILES = COLUMNS / 8, BLOCKS = WIDE_KEY / 16;
constexpr int OWN = (BLOCKS + WARPS - 1) / WARPS;     // blocks of 16 rows of the state, of a warp
constexpr int STEP = 32;                              // keys at a time

// Where a block walks.
struct Walk {
  long tokens, sequence;
  int heads, head, column, columns, chunk, end;  // the chunks of the segment

  __device__ Walk(long tokens, int heads, int span) : tokens(tokens), heads(heads) {
    sequence = blockIdx.z / heads;
    head = blockIdx.z % heads;
    column = blockIdx.x * COLUMNS;
    columns = min(COLUMNS, VALUE - column);
    chunk = blockIdx.y * span;
    end = min(chunk + span, (int)((tokens + CHUNK - 1) / CHUNK));
  }

  __device__ int count() const { return end - chunk; }
  __device__ long first(int step) const {
    return (long)(REVERSED ? end - 1 - step : chunk + step) * CHUNK;
  }
  // A token's place among (B, T, H).
  __device__ long line(long token) const { return (sequence * tokens + token) * heads + head; }
  // A state's, among (segments, B, H, …).
  __device__ long state() const { return ((long)blockIdx.y * gridDim.z + blockIdx.z) * KEY * VALUE; }
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
__device__ __forceinline__ void share(bf16* to, const float (&state)[OWN][TILES][4]) {
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  EACH for (int r = 0; r < OWN; r++) {
    if (warp * OWN + r >= BLOCKS) continue;
    EACH for (int n = 0; n < TILES; n++) {
      EACH for (int half = 0; half < 2; half++) {
        unsigned both[READ];
        split<READ>(both, state[r][n][2 * half], state[r][n][2 * half + 1]);
        int row = (warp * OWN + r) * 16 + lane / 4 + 8 * half;
        EACH for (int p = 0; p < READ; p++)
          *(unsigned*)(to + p * STATE + row * PITCH + 8 * n + lane % 4 * 2) = both[p];
      }
    }
  }
}

// out = what the state says to the warp's 16 queries.
__device__ __forceinline__ void recall(
    float (&out)[TILES][4], const Block<PLANES> (&query)[BLOCKS], const bf16* state) {
  EACH for (int k = 0; k < BLOCKS; k++) {
    EACH for (int n = 0; n < TILES; n += 2) {
      Block<READ> b;
      right_planes<READ, PITCH>(b, state + 16 * k * PITCH + 8 * n, STATE);
      multiply_planes(out[n], out[n + 1], query[k], b);
    }
  }
}

// out += weights · values, of 16 tokens.
__device__ __forceinline__ void add(
    float (&out)[TILES][4], const float (&p)[4], const float (&next)[4], const bf16* values) {
  Block<READ> a;
  as_left_planes<READ>(a, p, next);
  EACH for (int n = 0; n < TILES; n += 2) {
    Block<PLANES> b;
    right_planes<PLANES, PITCH>(b, values + 8 * n, VALUES);
    multiply_planes(out[n], out[n + 1], a, b);
  }
}

// out += what the chunk's own tokens say; with DOTS without what the query's own says, whose weights
// go to `same`.
__device__ __forceinline__ void attend(
    float (&out)[TILES][4], float (&same)[2][4], const Block<PLANES> (&query)[BLOCKS],
    const bf16* keys, const bf16* values, const Decays& decays) {
  int lane = threadIdx.x % 32, own = threadIdx.x / 32 * 16;
  int from = REVERSED ? own / STEP * STEP : 0, to = REVERSED ? CHUNK : own + 16;
  for (int key = from; key < to; key += STEP) {
    float p[STEP / 8][4] = {};
    EACH for (int k = 0; k < BLOCKS; k++) {
      EACH for (int n = 0; n < STEP / 8; n += 2) {
        Block<PLANES> b;
        right_of_rows_planes<PLANES, KEY_PITCH>(
            b, keys + (key + 8 * n) * KEY_PITCH + 16 * k, KEYS);
        multiply_planes(p[n], p[n + 1], query[k], b);
      }
    }
    EACH for (int n = 0; n < STEP / 8; n++) {
      EACH for (int c = 0; c < 4; c++) {
        int i = own + lane / 4 + c / 2 * 8, j = key + 8 * n + lane % 4 * 2 + c % 2;
        bool seen = REVERSED ? j > i : j < i;
        if (DOTS && n / 2 == own % STEP / 16 && i / 16 == j / 16) same[n % 2][c] = i == j ? p[n][c] : 0.f;
        if (!DOTS && i == j) continue;
        p[n][c] *= seen ? decays.between(REVERSED ? j : i, REVERSED ? i : j) : 0.f;
      }
    }
    EACH for (int n = 0; n < STEP / 8; n += 2)
      add(out, p[n], p[n + 1], values + (key + 8 * n) * PITCH);
  }
}

// state = what is left of it, and what the chunk's tokens write.
__device__ __forceinline__ void advance(
    float (&state)[OWN][TILES][4], const bf16* keys, const bf16* values, const Decays& decays) {
  int warp = threadIdx.x / 32;
  EACH for (int r = 0; r < OWN; r++)
    EACH for (int n = 0; n < TILES; n++)
      EACH for (int c = 0; c < 4; c++) state[r][n][c] *= decays.whole;
  if (warp * OWN >= BLOCKS) return;
  const float* left_of = REVERSED ? decays.from_start : decays.to_end;
  EACH for (int j = 0; j < CHUNK; j += 16) {
    Block<FINE> a[OWN];
    EACH for (int r = 0; r < OWN; r++) {
      int row = min(warp * OWN + r, BLOCKS - 1) * 16;
      scaled_of_transposed<PLANES, KEY_PITCH>(
          a[r], keys + j * KEY_PITCH + row, KEYS, left_of + j);
    }
    EACH for (int n = 0; n < TILES; n += 2) {
      Block<PLANES> b;
      right_planes<PLANES, PITCH>(b, values + j * PITCH + 8 * n, VALUES);
      EACH for (int r = 0; r < OWN; r++) multiply_planes(state[r][n], state[r][n + 1], a[r], b);
    }
  }
}

// Σ out · along of the lane's two rows, over all of its columns.
__device__ __forceinline__ void dot_rows(
    float* to, const Walk& walk, const float (&out)[TILES][4], const T* along, long first) {
  int lane = threadIdx.x % 32, own = threadIdx.x / 32 * 16;
  EACH for (int half = 0; half < 2; half++) {
    long token = first + own + lane / 4 + 8 * half;
    bool there = token < walk.tokens;
    const T* row = along + walk.line(there ? token : first) * VALUE + walk.column;
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

__device__ __forceinline__ void store(
    T* to, const Walk& walk, const float (&out)[TILES][4], long first) {
  int lane = threadIdx.x % 32, own = threadIdx.x / 32 * 16;
  each_row(out, [&](int half, int column, float (&x)[8]) {
    long token = first + own + lane / 4 + 8 * half;
    if (token >= walk.tokens || column >= walk.columns) return;
    T* at = to + walk.line(token) * VALUE + walk.column + column;
    if (ALIGNED) write<8>(at, x);
    else EACH for (int j = 0; j < 8; j++)
      if (column + j < walk.columns) at[j] = narrow<T>(x[j]);
  });
}

// Grid: shares of the values' columns, segments, heads of sequences. Queries and keys (B, T, H, KEY),
// values, along and out (B, T, H, VALUE), dots (shares, B, H, T). States (segments, B, H, …) lie with
// `across` elements from row to row and `down` from column to column: those that segments begin
// with (null: nothing) and end with (null: not wanted), and those that the ends are dotted with (null:
// zero) to give anchors (shares, segments, B, H). wholes (segments, B, H): what is left of a state
// after the segment, only where there is no output.
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) ssd_walk(
    const T* __restrict__ queries, const T* __restrict__ keys, const T* __restrict__ values,
    const T* __restrict__ along, const float* __restrict__ g, const int* __restrict__ begin,
    const float* __restrict__ starts, T* __restrict__ out, float* __restrict__ dots,
    float* __restrict__ ends, const float* __restrict__ against, float* __restrict__ anchors,
    float* __restrict__ wholes, int across, int down, long tokens, int heads, int span) {
  extern __shared__ __align__(16) char memory[];
  bf16 *stages = (bf16*)memory, *shared_state = stages + STAGES * STAGE;
  __shared__ Decays decays[2];
  const Walk walk(tokens, heads, span);
  int warp = threadIdx.x / 32, own = warp * 16;

  float state[OWN][TILES][4];
  each_of_state(state, [&](float& s, int row, int column) {
    bool real = row < KEY && column < walk.columns;
    long at = walk.state() + (long)row * across + (long)(walk.column + column) * down;
    s = real && starts ? starts[at] : 0.f;
  });
  if (OUTPUT) share(shared_state, state);

  auto fetch_chunk = [&](int step) {
    long first = walk.first(step), line = walk.line(first);
    int rows = (int)min((long)CHUNK, tokens - first);
    bf16* to = stages + step % STAGES * STAGE;
    if (OUTPUT) stage<WIDE_KEY>(to, queries + line * KEY, (long)heads * KEY, rows, KEY);
    stage<WIDE_KEY>(to + PLANES * KEYS, keys + line * KEY, (long)heads * KEY, rows, KEY);
    stage<COLUMNS>(to + 2 * PLANES * KEYS, values + line * VALUE + walk.column,
                   (long)heads * VALUE, rows, walk.columns);
  };
  double rates[2], sum = 0.;
  auto fetch_decays = [&](int step) {
    long first = walk.first(step) + threadIdx.x * 2;
    EACH for (int i = 0; i < 2; i++)
      rates[i] = log_decay(g, begin, walk.sequence, first + i, tokens, heads, walk.head);
  };

  fetch_chunk(0);
  if (warp == 0) fetch_decays(0);
  for (int step = 0; step < walk.count(); step++) {
    Decays& left_over = decays[step % 2];
    bool more = step + 1 < walk.count();
    if (warp == 0) {
      sum += rates[0] + rates[1];
      decay(left_over, rates[0], rates[1]);
      if (more) fetch_decays(step + 1);
    }
    copies_done();
    __syncthreads();
    if (STAGES == 2 && more) fetch_chunk(step + 1);
    const bf16* tile = stages + step % STAGES * STAGE;
    const bf16 *chunk_keys = tile + PLANES * KEYS, *chunk_values = chunk_keys + PLANES * KEYS;

    if (OUTPUT) {
      Block<PLANES> query[BLOCKS];
      EACH for (int k = 0; k < BLOCKS; k++)
        left_planes<PLANES, KEY_PITCH>(query[k], tile + own * KEY_PITCH + 16 * k, KEYS);
      float read_out[TILES][4] = {}, same[2][4];
      recall(read_out, query, shared_state);
      const float* left_of = REVERSED ? left_over.to_end : left_over.from_start;
      EACH for (int half = 0; half < 2; half++) {
        float by = left_of[own + threadIdx.x % 32 / 4 + 8 * half];
        EACH for (int n = 0; n < TILES; n++)
          EACH for (int c = 0; c < 2; c++) read_out[n][2 * half + c] *= by;
      }
      attend(read_out, same, query, chunk_keys, chunk_values, left_over);
      if (DOTS) {
        // What a token tells itself has no decay in it, and would cancel but for rounding.
        dot_rows(dots, walk, read_out, along, walk.first(step));
        add(read_out, same[0], same[1], chunk_values + own * PITCH);
      }
      store(out, walk, read_out, walk.first(step));
    }
    advance(state, chunk_keys, chunk_values, left_over);
    __syncthreads();  // the stage and the shared state have been used
    if (STAGES == 1 && more) fetch_chunk(step + 1);
    if (OUTPUT && more) share(shared_state, state);
  }

  float match = 0.f;
  each_of_state(state, [&](float& s, int row, int column) {
    if (row >= KEY || column >= walk.columns) return;
    long at = walk.state() + (long)row * across + (long)(walk.column + column) * down;
    if (ends) ends[at] = s;
    if (DOTS && against) match += s * against[at];
  });
  if (DOTS) {
    __shared__ float matches[WARPS];
    match = warp_sum(match);
    if (threadIdx.x % 32 == 0) matches[warp] = match;
    __syncthreads();
    long segment = (long)blockIdx.x * gridDim.y + blockIdx.y;
    if (threadIdx.x == 0) {
      anchors[segment * gridDim.z + blockIdx.z] =
          matches[0] + matches[1] + matches[2] + matches[3];
    }
  }
  if (!OUTPUT && warp == 0 && blockIdx.x == 0) {
    EACH for (int other = 16; other > 0; other /= 2) sum += __shfl_xor_sync(ALL, sum, other);
    if (threadIdx.x == 0) wholes[(long)blockIdx.y * gridDim.z + blockIdx.z] = exp2f((float)sum);
  }
}
