// The selective scan (S6), forward and one step. Constants: ELEMENT type, N states, STATES of them
// per thread (2 or 4), VECTOR 4 or 1 channels per load, RESIDENT blocks that shall fit on a
// multiprocessor, KEEP 1 where checkpoints are asked for, WHOLE 1 where channels and tokens fill all
// tiles, PACKED.
//
// A block owns 32 channels of one sequence and walks through time in tiles. Lane = channel; each
// of its warps carries STATES of the N states, so that b and c are read once per warp and
// broadcast, and no scan over time is needed:
//
//   prepare   all threads: softplus and products of the tile → shared memory
//   advance   warp w: its states over the tile; what they add to y → shared memory
//   finish    all threads: sum over warps, skip, gate → global memory
//
// The next tile is fetched into registers while the current one advances. Special-function units
// bound it (16 results a clock per multiprocessor): one exponential per token, channel and state,
// and four more per token and channel.
#include "common.cuh"
#include "selective_scan.cuh"

constexpr int WARPS = (N + STATES - 1) / STATES;  // states beyond N stay zero
constexpr int THREADS = WARPS * LANES;
constexpr int PADDED = WARPS * STATES;            // N rounded up
constexpr int QUADS = LANES / 4;                  // groups of four channels
constexpr int STATE_VECTOR = N % STATES == 0 ? STATES : 1;

using Four = Raw<4>;
using Map = Raw<STATES>;

constexpr int FORWARD = 32;  // tokens per tile
constexpr int LOOK = 2;      // tokens whose exponentials are under way while as many others advance
constexpr bool PIPED = WARPS <= 8;  // two tiles at once; more warps have too few registers
constexpr int ITEMS = (FORWARD * QUADS + THREADS - 1) / THREADS;

// All tiles are whole and each thread has as many items as any other: nothing to ask.
constexpr bool EVEN = WHOLE && FORWARD % (THREADS / QUADS) == 0;

struct ForwardTile {
  float2 step[FORWARD][LANES];        // Δ and Δ·u
  float b[FORWARD][PADDED];
  float c[FORWARD][PADDED];
  float read[WARPS][FORWARD][LANES];  // each warp's part of Σ_n h·c
  Four u[ITEMS * THREADS], z[ITEMS * THREADS];  // each thread's own
#if PACKED
  int firsts[FORWARD];                // whether a document begins
#endif
};

// What LOOK tokens need of shared memory and of the special-function unit.
struct Ahead {
  float decays[LOOK][STATES], inputs[LOOK][STATES], c[LOOK][STATES];

  __device__ __forceinline__ void look(
      const ForwardTile& tile, int t, const float (&rate)[STATES]) {
    int lane = threadIdx.x % LANES, first = threadIdx.x / LANES * STATES;
    EACH for (int i = 0; i < LOOK; i++) {
      float2 step = tile.step[t + i][lane];
      float b[STATES];
      read<STATES>(&tile.b[t + i][first], b);
      read<STATES>(&tile.c[t + i][first], c[i]);
      EACH for (int s = 0; s < STATES; s++) {
        decays[i][s] = Exactly::decay(step.x * rate[s]);
#if PACKED
        if (tile.firsts[t + i]) decays[i][s] = 0.f;
#endif
        inputs[i][s] = step.y * b[s];
      }
    }
  }
};

// y (B, T, I), last (B, I, N); checkpoints null: none.
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) scan_forward(
    const T* __restrict__ u, const T* __restrict__ delta, const float* __restrict__ a,
    const T* __restrict__ b, const T* __restrict__ c, const float* __restrict__ d,
    const T* __restrict__ z, const float* __restrict__ delta_bias,
    const float* __restrict__ initial, T* __restrict__ y, float* __restrict__ last,
    float* __restrict__ checkpoints, const int* __restrict__ begin, long tokens, int channels) {
  extern __shared__ __align__(16) char memory[];
  ForwardTile* tiles = reinterpret_cast<ForwardTile*>(memory);

  int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES;
  long sequence = blockIdx.y, first = sequence * tokens;
  int own = blockIdx.x * LANES + lane;
  float rate[STATES], h[STATES];
  EACH for (int s = 0; s < STATES; s++) {
    int n = warp * STATES + s;
    bool real = n < N && own < channels;
    rate[s] = real ? a[(long)own * N + n] * Exactly::RATE : 0.f;
    h[s] = real && initial ? initial[(sequence * channels + own) * N + n] : 0.f;
  }

  // This thread's part of prepare and finish: four channels of tokens row, row + ROWS …; and four
  // states of one. Elements are counted from where the tile begins in each tensor.
  constexpr int ROWS = THREADS / QUADS;
  int quad = threadIdx.x % QUADS * 4, channel = blockIdx.x * LANES + quad, row = threadIdx.x / QUADS;
  int map_token = threadIdx.x / WARPS, map_state = threadIdx.x % WARPS * STATES;
  float bias[4], skip[4];
  EACH for (int i = 0; i < 4; i++) {
    bias[i] = channel + i < channels ? delta_bias[channel + i] : 0.f;
    skip[i] = channel + i < channels ? d[channel + i] : 0.f;
  }
  long at = (first + row) * channels + channel, map_at = (first + map_token) * N + map_state;
  int room = EVEN ? 4 : channels - channel;
  long rows = ROWS * (long)channels, all = FORWARD * (long)channels;

  Four next_u[ITEMS], next_delta[ITEMS], next_z[ITEMS];
  Map next_b, next_c;
  int next_first = 0;
  // The tile `left` tokens before the end, which begins at element `at`.
  auto fetch_tile = [&](long at, long map_at, long left) {
    EACH for (int k = 0; k < ITEMS; k++) {
      int t = row + k * ROWS, there = EVEN || t < left && t < FORWARD ? room : 0;
      next_u[k].fetch<VECTOR>(u + at + k * rows, there);
      next_delta[k].fetch<VECTOR>(delta + at + k * rows, there, NEVER);
      next_z[k].fetch<VECTOR>(z + at + k * rows, there);
    }
    int there = EVEN || map_token < left ? N - map_state : 0;
    next_b.fetch<STATE_VECTOR>(b + map_at, there);
    next_c.fetch<STATE_VECTOR>(c + map_at, there);
    if (PACKED && threadIdx.x < FORWARD) {
      long t = tokens - left + threadIdx.x;
      next_first = t < tokens && begin[first + t] == t;
    }
  };

  auto prepare = [&](ForwardTile& tile) {
    EACH for (int k = 0; k < ITEMS; k++) {
      int t = row + k * ROWS;
      tile.u[threadIdx.x + k * THREADS] = next_u[k], tile.z[threadIdx.x + k * THREADS] = next_z[k];
      if (!EVEN && t >= FORWARD) continue;
      EACH for (int i = 0; i < 4; i++) {
        float step = Exactly::softplus(next_delta[k][i] + bias[i]);
        tile.step[t][quad + i] = make_float2(step, step * next_u[k][i]);
      }
    }
    spread(next_b, &tile.b[map_token][map_state]);
    spread(next_c, &tile.c[map_token][map_state]);
#if PACKED
    if (threadIdx.x < FORWARD) tile.firsts[threadIdx.x] = next_first;
#endif
  };
  auto finish = [&](const ForwardTile& tile, long at, long left) {
    EACH for (int k = 0; k < ITEMS; k++) {
      int t = row + k * ROWS;
      if (!EVEN && (t >= FORWARD || t >= left)) continue;
      Four tile_u = tile.u[threadIdx.x + k * THREADS], tile_z = tile.z[threadIdx.x + k * THREADS];
      float out[4];
      EACH for (int i = 0; i < 4; i++) out[i] = skip[i] * tile_u[i];
      EACH for (int w = 0; w < WARPS; w++) {
        float part[4];
        read<4>(&tile.read[w][t][quad], part);
        EACH for (int i = 0; i < 4; i++) out[i] += part[i];
      }
      EACH for (int i = 0; i < 4; i++) {
        float gate = tile_z[i];
        out[i] *= gate * Exactly::sigmoid(gate);
      }
      store<VECTOR>(y + at + k * rows, room, out);
    }
  };

  // `between` happens halfway, so that its instructions fill the gaps of these.
  auto advance = [&](ForwardTile& tile, long start, auto between) {
    // LOOK tokens at a time: the exponentials of the next ones are under way while these advance,
    // and no load waits for a store that might touch the same address.
    Ahead ahead, now;
    ahead.look(tile, 0, rate);
    EACH for (int t = 0; t < FORWARD; t += LOOK) {
      now = ahead;
      if (t + LOOK < FORWARD) ahead.look(tile, t + LOOK, rate);
#if KEEP
      if (t % BETWEEN == 0 && start + t < tokens) {
        float* to = checkpoints + checkpoint((start + t) / BETWEEN, tokens) + lane;
        EACH for (int s = 0; s < STATES; s++)
          if (warp * STATES + s < N) to[(warp * STATES + s) * LANES] = h[s];
      }
#endif
      if (t == FORWARD / 2) between();
      EACH for (int i = 0; i < LOOK; i++) {
        float sum = 0.f;
        EACH for (int s = 0; s < STATES; s++) {
          h[s] = now.decays[i][s] * h[s] + now.inputs[i][s];
          sum += h[s] * now.c[i][s];
        }
        tile.read[warp][t + i][lane] = sum;
      }
    }
  };

  fetch_tile(at, map_at, tokens);
  if constexpr (PIPED) {
    // One barrier a tile: while one advances, the one before is finished and the next prepared.
    ForwardTile *tile = tiles, *other = tiles + 1;
    prepare(*tile);
    if (tokens > FORWARD) fetch_tile(at + all, map_at + FORWARD * N, tokens - FORWARD);
    map_at += 2 * FORWARD * N;
    __syncthreads();
    for (long start = 0; start < tokens; start += FORWARD) {
      long left = tokens - start;
      advance(*tile, start, [&] {
        if (start > 0) finish(*other, at - all, FORWARD);
        if (left > FORWARD) prepare(*other);
        if (left > 2 * FORWARD) fetch_tile(at + 2 * all, map_at, left - 2 * FORWARD);
      });
      __syncthreads();
      ForwardTile* swap = tile;
      tile = other, other = swap, at += all, map_at += FORWARD * N;
    }
    finish(*other, at - all, (tokens - 1) % FORWARD + 1);
  } else {
    for (long start = 0; start < tokens; start += FORWARD) {
      long left = tokens - start;
      prepare(*tiles);
      __syncthreads();
      map_at += FORWARD * N;
      if (left > FORWARD) fetch_tile(at + all, map_at, left - FORWARD);
      advance(*tiles, start, [] {});
      __syncthreads();
      finish(*tiles, at, left);
      at += all;
    }
  }
  EACH for (int s = 0; s < STATES; s++) {
    int n = warp * STATES + s;
    if (n < N && own < channels) last[(sequence * channels + own) * N + n] = h[s];
  }
}

// One token of each sequence; state (B, I, N) advances in place. A thread per channel.
extern "C" __global__ void scan_step(
    const T* __restrict__ u, const T* __restrict__ delta, const float* __restrict__ a,
    const T* __restrict__ b, const T* __restrict__ c, const float* __restrict__ d,
    const T* __restrict__ z, const float* __restrict__ delta_bias, float* __restrict__ state,
    T* __restrict__ y, int channels) {
  int own = blockIdx.x * blockDim.x + threadIdx.x;
  if (own >= channels) return;
  long sequence = blockIdx.y, at = sequence * channels + own;
  float in = wide(u[at]), gate = wide(z[at]);
  float step = Exactly::softplus(wide(delta[at]) + delta_bias[own]), sum = d[own] * in;
  EACH_OF(8) for (int n = 0; n < N; n++) {
    float h = Exactly::decay(step * (Exactly::RATE * a[(long)own * N + n])) * state[at * N + n] +
              step * in * wide(b[sequence * N + n]);
    state[at * N + n] = h;
    sum += h * wide(c[sequence * N + n]);
  }
  y[at] = narrow<T>(sum * gate * Exactly::sigmoid(gate));
}
