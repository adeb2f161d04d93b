// The selective scan (S6), backward. Constants: ELEMENT type, N states, STATES of them per thread (2
// or 4), VECTOR 4 or 1 channels per load, RESIDENT blocks that shall fit on a multiprocessor, WHOLE 1
// where channels and tokens fill all tiles, PACKED.
//
// A block owns 32 channels of one sequence and walks back through time in tiles of 16 tokens, from
// one checkpoint to the one before. Lane = channel; each warp carries STATES of the N states, so
// that b and c are read once per warp and broadcast:
//
//   prepare   all threads: softplus, products and dy·silu(z) of the tile → shared memory
//   advance   warp w: its states from the checkpoint on, kept in registers
//   return    warp w: their gradients, last token first; sums over its states → shared memory,
//             and over the block's channels, for b and c
//   finish    all threads: sums over warps, gradients of inputs → global memory
//
// The tile before is fetched into registers meanwhile.
#include "common.cuh"
#include "selective_scan.cuh"

constexpr int WARPS = (N + STATES - 1) / STATES;  // states beyond N stay zero
constexpr int THREADS = WARPS * LANES;
constexpr int PADDED = WARPS * STATES;            // N rounded up
constexpr int QUADS = LANES / 4;                  // groups of four channels
constexpr int STATE_VECTOR = N % STATES == 0 ? STATES : 1;

using Four = Raw<4>;
using Map = Raw<STATES>;

constexpr int BACKWARD = BETWEEN;  // tokens per tile: their states fit in registers
// All tiles are whole and each thread has as many items as any other: nothing to ask.
constexpr bool EVEN = WHOLE && BACKWARD % (THREADS / QUADS) == 0;
constexpr int GROUP = 16 / STATES;  // tokens whose maps are summed over the warp together: 32 values

struct BackwardTile {
  float2 step[BACKWARD][LANES];           // Δ and Δ·u
  float gated[BACKWARD][LANES];           // dy·silu(z): the gradient of Σ_n h·c + d·u
  float b[BACKWARD][PADDED];
  float c[BACKWARD][PADDED];
  float read[WARPS][BACKWARD][LANES];     // parts of Σ_n h·c
  float rates[WARPS][BACKWARD][LANES];    // parts of the gradient of Δ through the decays / ln 2
  float inputs[WARPS][BACKWARD][LANES];   // parts of the gradient of Δ·u
  float maps[BACKWARD][2][PADDED];        // gradients of b and c, summed over this block's channels
  Four u[BACKWARD * QUADS], delta[BACKWARD * QUADS], z[BACKWARD * QUADS], dy[BACKWARD * QUADS];
  float bias[LANES], skip[LANES];
#if PACKED
  int firsts[BACKWARD];                   // whether a document begins
#endif

  // What is left at token t of the state before it.
  __device__ __forceinline__ float decay(int t, float exponent) const {
#if PACKED
    if (firsts[t]) return 0.f;
#endif
    return Exactly::decay(exponent);
  }
};

// 32 values per lane → lane i holds the sum over all lanes of value i: 31 exchanges instead of 160.
template <int COUNT>
__device__ __forceinline__ float sum_each(float (&value)[32]) {
  constexpr int HALF = COUNT / 2;
  if constexpr (HALF > 0) {
    bool upper = threadIdx.x & HALF;
    EACH for (int i = 0; i < HALF; i++) {
      float keep = upper ? value[i + HALF] : value[i];
      float give = upper ? value[i] : value[i + HALF];
      value[i] = keep + __shfl_xor_sync(ALL, give, HALF);
    }
    return sum_each<HALF>(value);
  }
  return value[0];
}

// Where a sequence is cut into pieces of time, as many as blockIdx.z counts: what a piece adds to the
// gradient of the state before it, ends (B, pieces, I, N), and its sum of steps (B, pieces, I),
// negative where a document begins in it and nothing passes. For all pieces but the first.
struct __align__(16) PieceTile {
  float2 step[BACKWARD][LANES];  // Δ and dy·silu(z)
  float c[BACKWARD][PADDED];
#if PACKED
  int firsts[BACKWARD];
#endif
};

extern "C" __global__ void __launch_bounds__(THREADS, THREADS <= 128 ? 4 : 1) scan_backward_piece(
    const T* __restrict__ delta, const float* __restrict__ a, const T* __restrict__ c,
    const T* __restrict__ z, const float* __restrict__ delta_bias, const T* __restrict__ dy,
    float* __restrict__ ends, float* __restrict__ steps, const int* __restrict__ begin, long tokens,
    int channels, long piece) {
  __shared__ PieceTile tiles[2];
  constexpr int ITEMS = (BACKWARD * QUADS + THREADS - 1) / THREADS, ROWS = THREADS / QUADS;
  int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES;
  long sequence = blockIdx.y, first = sequence * tokens, pieces = gridDim.z + 1;
  long index = blockIdx.z + 1, from = index * piece, to = from + piece;
  if (to > tokens) to = tokens;
  int own = blockIdx.x * LANES + lane;
  float rate[STATES], dh[STATES], total = 0.f;
  bool cut = false;
  EACH for (int s = 0; s < STATES; s++) {
    int n = warp * STATES + s;
    rate[s] = n < N && own < channels ? a[(long)own * N + n] * Exactly::RATE : 0.f;
    dh[s] = 0.f;
  }
  int quad = threadIdx.x % QUADS * 4, channel = blockIdx.x * LANES + quad, row = threadIdx.x / QUADS;
  int room = channels - channel;
  int map_token = threadIdx.x / WARPS, map_state = threadIdx.x % WARPS * STATES;
  float bias[4];
  EACH for (int i = 0; i < 4; i++) bias[i] = i < room ? delta_bias[channel + i] : 0.f;

  Four next_delta[ITEMS], next_z[ITEMS], next_dy[ITEMS];
  Map next_c;
  int next_first = 0;
  auto fetch_tile = [&](long start) {
    EACH for (int k = 0; k < ITEMS; k++) {
      int t = row + k * ROWS, there = t < BACKWARD && start + t < to ? room : 0;
      long at = (first + start + t) * channels + channel;
      next_delta[k].fetch<VECTOR>(delta + at, there, NEVER);
      next_z[k].fetch<VECTOR>(z + at, there);
      next_dy[k].fetch<VECTOR>(dy + at, there);
    }
    if (map_token < BACKWARD)
      next_c.fetch<STATE_VECTOR>(
          c + (first + start + map_token) * N + map_state,
          start + map_token < to ? N - map_state : 0);
    if (PACKED && threadIdx.x < BACKWARD) {
      long t = start + threadIdx.x;
      next_first = t < to && begin[first + t] == t;
    }
  };

  long start = from + (to - from - 1) / BACKWARD * BACKWARD;
  fetch_tile(start);
  for (int turn = 0; start >= from; start -= BACKWARD, turn ^= 1) {
    PieceTile& tile = tiles[turn];
    EACH for (int k = 0; k < ITEMS; k++) {
      int t = row + k * ROWS;
      if (t >= BACKWARD) continue;
      EACH for (int i = 0; i < 4; i++) {
        float gate = next_z[k][i];
        tile.step[t][quad + i] = make_float2(
            Exactly::softplus(next_delta[k][i] + bias[i]),
            next_dy[k][i] * gate * Exactly::sigmoid(gate));
      }
    }
    if (map_token < BACKWARD) spread(next_c, &tile.c[map_token][map_state]);
#if PACKED
    if (threadIdx.x < BACKWARD) tile.firsts[threadIdx.x] = next_first;
#endif
    __syncthreads();  // one is enough: who writes this tile again has passed the next one
    if (start > from) fetch_tile(start - BACKWARD);
    EACH for (int t = BACKWARD - 1; t >= 0; t--) {
      float2 step = tile.step[t][lane];
      float ct[STATES];
      read<STATES>(&tile.c[t][warp * STATES], ct);
      total += step.x;
      EACH for (int s = 0; s < STATES; s++) {
        float decay = Exactly::decay(step.x * rate[s]);
#if PACKED
        if (tile.firsts[t]) decay = 0.f;
#endif
        dh[s] = (dh[s] + step.y * ct[s]) * decay;
      }
#if PACKED
      cut |= tile.firsts[t] != 0;
#endif
    }
  }
  if (own >= channels) return;
  long at = (sequence * pieces + index) * channels + own;
  EACH for (int s = 0; s < STATES; s++) {
    int n = warp * STATES + s;
    if (n < N) ends[at * N + n] = dh[s];
  }
  if (warp == 0) steps[at] = cut ? -1.f : total;
}

// Gradients of u, delta, z (B, T, I) and initial (B, I, N); sums (B, pieces, I, N + 2) of a, d and
// delta_bias per piece of time; maps (B, blocks of channels, T, 2, N) of b and c per block.
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) scan_backward(
    const T* __restrict__ u, const T* __restrict__ delta, const float* __restrict__ a,
    const T* __restrict__ b, const T* __restrict__ c, const float* __restrict__ d,
    const T* __restrict__ z, const float* __restrict__ delta_bias,
    const float* __restrict__ checkpoints, const T* __restrict__ dy,
    const float* __restrict__ d_last, T* __restrict__ du, T* __restrict__ d_delta,
    T* __restrict__ dz, float* __restrict__ d_initial, float* __restrict__ sums,
    float* __restrict__ maps, const int* __restrict__ begin, const float* __restrict__ ends,
    const float* __restrict__ steps, long tokens, int channels, long piece) {
  extern __shared__ __align__(16) char memory[];
  BackwardTile& tile = *reinterpret_cast<BackwardTile*>(memory);
  constexpr int ITEMS = (BACKWARD * QUADS + THREADS - 1) / THREADS;

  int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES;
  long sequence = blockIdx.y, first = sequence * tokens;
  int own = blockIdx.x * LANES + lane;
  float rate[STATES], dh[STATES], d_rate[STATES];
  EACH for (int s = 0; s < STATES; s++) {
    int n = warp * STATES + s;
    bool real = n < N && own < channels;
    rate[s] = real ? a[(long)own * N + n] * Exactly::RATE : 0.f;
    dh[s] = real && d_last ? d_last[(sequence * channels + own) * N + n] : 0.f;
    d_rate[s] = 0.f;
  }
  // The gradient that the pieces after this one hand down.
  long pieces = gridDim.z, from = blockIdx.z * piece, to = min(tokens, from + piece);
  for (long i = pieces - 1; i > blockIdx.z && own < channels; i--) {
    long after = (sequence * pieces + i) * channels + own;
    float passed = steps[after];
    EACH for (int s = 0; s < STATES; s++) {
      int n = warp * STATES + s;
      if (n < N)
        dh[s] = ends[after * N + n] + (passed < 0.f ? 0.f : Exactly::decay(passed * rate[s])) * dh[s];
    }
  }

  constexpr int ROWS = THREADS / QUADS;
  int quad = threadIdx.x % QUADS * 4, channel = blockIdx.x * LANES + quad, row = threadIdx.x / QUADS;
  int room = EVEN ? 4 : channels - channel;
  // The first half of the threads brings b, the second c.
  int map_token = threadIdx.x / WARPS % BACKWARD, map_state = threadIdx.x % WARPS * STATES;
  bool brings_b = threadIdx.x < THREADS / 2;
  float d_skip[4] = {}, d_bias[4] = {};
  if (warp == 0) {
    tile.bias[lane] = own < channels ? delta_bias[own] : 0.f;
    tile.skip[lane] = own < channels ? d[own] : 0.f;
  }
  __syncthreads();

  Four next_u[ITEMS], next_delta[ITEMS], next_z[ITEMS], next_dy[ITEMS];
  Map next_map;
  float next_h[STATES];
  int next_first = 0;
  // Where this thread's elements of the last tile begin.
  long last_start = from + (to - from - 1) / BACKWARD * BACKWARD, rows = ROWS * (long)channels;
  long at = (first + last_start + row) * channels + channel;
  long map_at = (first + last_start + map_token) * N + map_state;
  const float* kept = checkpoints + checkpoint(last_start / BACKWARD, tokens) + warp * STATES * LANES + lane;
  long kept_step = gridDim.x * (long)(N * LANES);
  auto fetch_tile = [&](long start, long at, long map_at, const float* kept) {
    long left = tokens - start;
    EACH for (int k = 0; k < ITEMS; k++) {
      int t = row + k * ROWS, there = EVEN || t < left && t < BACKWARD ? room : 0;
      next_u[k].fetch<VECTOR>(u + at + k * rows, there);
      next_delta[k].fetch<VECTOR>(delta + at + k * rows, there, NEVER);
      next_z[k].fetch<VECTOR>(z + at + k * rows, there);
      next_dy[k].fetch<VECTOR>(dy + at + k * rows, there);
    }
    next_map.fetch<STATE_VECTOR>(
        (brings_b ? b : c) + map_at, EVEN || map_token < left ? N - map_state : 0);
    if (PACKED && threadIdx.x < BACKWARD) {
      long t = start + threadIdx.x;
      next_first = t < tokens && begin[first + t] == t;
    }
    EACH for (int s = 0; s < STATES; s++)
      next_h[s] = warp * STATES + s < N ? kept[s * LANES] : 0.f;
  };

  float* maps_at = maps + ((sequence * gridDim.x + blockIdx.x) * tokens + last_start) * 2 * N;
  fetch_tile(last_start, at, map_at, kept);
  for (long start = last_start; start >= from; start -= BACKWARD) {
    long left = tokens - start;
    EACH for (int k = 0; k < ITEMS; k++) {
      int t = row + k * ROWS, item = threadIdx.x + k * THREADS;
      if (!EVEN && t >= BACKWARD) continue;
      tile.u[item] = next_u[k], tile.delta[item] = next_delta[k];
      tile.z[item] = next_z[k], tile.dy[item] = next_dy[k];
      float bias[4];
      read<4>(&tile.bias[quad], bias);
      EACH for (int i = 0; i < 4; i++) {
        float step = Exactly::softplus(next_delta[k][i] + bias[i]);
        float gate = next_z[k][i];
        tile.step[t][quad + i] = make_float2(step, step * next_u[k][i]);
        tile.gated[t][quad + i] = next_dy[k][i] * gate * Exactly::sigmoid(gate);
      }
    }
    spread(next_map, brings_b ? &tile.b[map_token][map_state] : &tile.c[map_token][map_state]);
#if PACKED
    if (threadIdx.x < BACKWARD) tile.firsts[threadIdx.x] = next_first;
#endif
    float h[BACKWARD][STATES], before[STATES], origin[STATES];
    EACH for (int s = 0; s < STATES; s++) before[s] = origin[s] = next_h[s];
    __syncthreads();

    map_at -= BACKWARD * N, kept -= kept_step;
    if (start > from) fetch_tile(start - BACKWARD, at - BACKWARD * (long)channels, map_at, kept);
    EACH for (int t = 0; t < BACKWARD; t++) {
      float2 step = tile.step[t][lane];
      float bt[STATES];
      read<STATES>(&tile.b[t][warp * STATES], bt);
      EACH for (int s = 0; s < STATES; s++) {
        before[s] = tile.decay(t, step.x * rate[s]) * before[s] + step.y * bt[s];
        h[t][s] = before[s];
      }
    }
    EACH for (int group = BACKWARD - GROUP; group >= 0; group -= GROUP) {
      float value[32];  // GROUP tokens, b and c, STATES
      float reads[GROUP], rates[GROUP], inputs[GROUP];
      EACH for (int i = GROUP - 1; i >= 0; i--) {
        int t = group + i;
        float2 step = tile.step[t][lane];
        float gated = tile.gated[t][lane];
        float bt[STATES], ct[STATES];
        read<STATES>(&tile.b[t][warp * STATES], bt);
        read<STATES>(&tile.c[t][warp * STATES], ct);
        reads[i] = rates[i] = inputs[i] = 0.f;
        float of_b[STATES], of_c[STATES];
        EACH for (int s = 0; s < STATES; s++) {
          reads[i] += h[t][s] * ct[s];
          of_c[s] = gated * h[t][s];
          dh[s] += gated * ct[s];
          of_b[s] = dh[s] * step.y;
          inputs[i] += dh[s] * bt[s];
          dh[s] *= tile.decay(t, step.x * rate[s]);
          float exponent = dh[s] * (t > 0 ? h[t - 1][s] : origin[s]);
          d_rate[s] += exponent * step.x;
          rates[i] += exponent * rate[s];
        }
        EACH for (int s = 0; s < STATES; s++)
          value[i * 2 * STATES + s] = of_b[s], value[(i * 2 + 1) * STATES + s] = of_c[s];
      }
      EACH for (int i = 0; i < GROUP; i++) {
        tile.read[warp][group + i][lane] = reads[i];
        tile.rates[warp][group + i][lane] = rates[i];
        tile.inputs[warp][group + i][lane] = inputs[i];
      }
      int t = group + lane / (2 * STATES);
      tile.maps[t][lane / STATES % 2][warp * STATES + lane % STATES] = sum_each<32>(value);
    }
    __syncthreads();

    EACH for (int k = 0; k < ITEMS; k++) {
      int t = row + k * ROWS, item = threadIdx.x + k * THREADS;
      if (!EVEN && (t >= BACKWARD || t >= left)) continue;
      Four raw_u = tile.u[item], raw_delta = tile.delta[item];
      Four raw_z = tile.z[item], raw_dy = tile.dy[item];
      float bias[4], skip[4];
      read<4>(&tile.bias[quad], bias);
      read<4>(&tile.skip[quad], skip);
      float reads[4] = {}, rates[4] = {}, inputs[4] = {};
      EACH for (int w = 0; w < WARPS; w++) {
        float part[4];
        read<4>(&tile.read[w][t][quad], part);
        EACH for (int i = 0; i < 4; i++) reads[i] += part[i];
        read<4>(&tile.rates[w][t][quad], part);
        EACH for (int i = 0; i < 4; i++) rates[i] += part[i];
        read<4>(&tile.inputs[w][t][quad], part);
        EACH for (int i = 0; i < 4; i++) inputs[i] += part[i];
      }
      float out_u[4], out_delta[4], out_z[4];
      EACH for (int i = 0; i < 4; i++) {
        float step = tile.step[t][quad + i].x, gated = tile.gated[t][quad + i];
        float in = raw_u[i], gate = raw_z[i];
        float open = Exactly::sigmoid(gate);
        out_z[i] = raw_dy[i] * (reads[i] + skip[i] * in) *
                   (open * (1.f + gate * (1.f - open)));
        out_u[i] = inputs[i] * step + gated * skip[i];
        out_delta[i] = (rates[i] / Exactly::RATE + inputs[i] * in) *
                       Exactly::sigmoid(raw_delta[i] + bias[i]);
        d_skip[i] += gated * in;
        d_bias[i] += out_delta[i];
      }
      store<VECTOR>(du + at + k * rows, room, out_u);
      store<VECTOR>(d_delta + at + k * rows, room, out_delta);
      store<VECTOR>(dz + at + k * rows, room, out_z);
    }
    if constexpr (N % 4 == 0 && N == PADDED) {
      for (int i = threadIdx.x * 4; i < BACKWARD * 2 * N; i += THREADS * 4) {
        if (EVEN || i / (2 * N) < left)
          *reinterpret_cast<float4*>(maps_at + i) = *reinterpret_cast<float4*>(&tile.maps[0][0][i]);
      }
    } else {
      for (int i = threadIdx.x; i < BACKWARD * 2 * N; i += THREADS) {
        int t = i / (2 * N);
        if (t < left) maps_at[i] = tile.maps[t][i / N % 2][i % N];
      }
    }
    maps_at -= BACKWARD * 2 * N, at -= BACKWARD * (long)channels;
    __syncthreads();
  }

  long slot = ((sequence * pieces + blockIdx.z) * channels + own) * (N + 2);
  EACH for (int s = 0; s < STATES; s++) {
    int n = warp * STATES + s;
    if (n < N && own < channels) {
      if (blockIdx.z == 0) d_initial[(sequence * channels + own) * N + n] = dh[s];
      sums[slot + n] = d_rate[s];
    }
  }
  // Threads with the same four channels add up in shared memory, warp 0 in the end.
  float* shared = reinterpret_cast<float*>(memory);
  EACH for (int i = 0; i < 4; i++) {
    shared[threadIdx.x / QUADS * LANES + quad + i] = d_skip[i];
    shared[(ROWS + threadIdx.x / QUADS) * LANES + quad + i] = d_bias[i];
  }
  __syncthreads();
  if (warp == 0 && own < channels) {
    float skips = 0.f, biases = 0.f;
    for (int i = 0; i < ROWS; i++) {
      skips += shared[i * LANES + lane];
      biases += shared[(ROWS + i) * LANES + lane];
    }
    sums[slot + N] = skips;
    sums[slot + N + 1] = biases;
  }
}

// maps (B, blocks, T, 2, N) → db, dc (B, T, N); a thread per element and block row.
extern "C" __global__ void scan_sum_maps(
    const float* __restrict__ maps, T* __restrict__ db, T* __restrict__ dc, long tokens,
    int blocks) {
  long i = blockIdx.x * (long)blockDim.x + threadIdx.x, size = tokens * 2 * N;
  if (i >= size) return;
  long sequence = blockIdx.y;
  const float* from = maps + sequence * blocks * size + i;
  float sum = 0.f;
  EACH_OF(8) for (int block = 0; block < blocks; block++) sum += from[block * size];
  long t = i / (2 * N), at = (sequence * tokens + t) * N + i % N;
  (i / N % 2 == 0 ? db : dc)[at] = narrow<T>(sum);
}

// sums (B, I, N + 2) → da (I, N), dd (I), d_bias (I).
extern "C" __global__ void scan_sum_sequences(
    const float* __restrict__ sums, float* __restrict__ da, float* __restrict__ dd,
    float* __restrict__ d_bias, int batch, int channels) {
  long i = blockIdx.x * (long)blockDim.x + threadIdx.x, size = (long)channels * (N + 2);
  if (i >= size) return;
  float sum = 0.f;
  for (int sequence = 0; sequence < batch; sequence++) sum += sums[sequence * size + i];
  long own = i / (N + 2);
  int n = i % (N + 2);
  (n < N ? da[own * N + n] : n == N ? dd[own] : d_bias[own]) = sum;
}
