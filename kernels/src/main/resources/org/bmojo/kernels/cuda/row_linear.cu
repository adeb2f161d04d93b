// Few rows times matrices: y = f(x) · Wᵀ, then what follows an output alone. Constants: ELEMENT type
// of rows, WEIGHT of the matrices, GAIN of the norm and of filters, ROWS of x, WIDTH of one, VECTOR
// elements per load, TEAM warps per pair of outputs, NORM whether x is normalised first, GATED
// whether a pair is gate and input of a SwiGLU, CONV taps of a short convolution over the first
// outputs, NEAR taps of one over the normalised rows (0: none), AHEAD loads of a lane and row that are
// on their way at once, RESIDENT blocks that must fit a multiprocessor.
//
// The weights cross memory once and are all there is to do: a team of warps takes two of their rows
// at a time, 16 bytes a lane, several loads on their way at once. Each block makes its own copy of
// f(x) in shared memory. While the kernel before still works on x, the first weights are on their
// way to registers, and those of the first `early` turns to the cache.
#include "common.cuh"
#include "pipeline.cuh"

using T = ELEMENT;
using W = WEIGHT;
constexpr int V = VECTOR, THREADS = 256, WARPS = THREADS / 32, TEAMS = WARPS / TEAM;
constexpr int STRIDE = 32 * TEAM * V, TURN = STRIDE * AHEAD;
constexpr int PADDED = (WIDTH + TURN - 1) / TURN * TURN;  // a row in shared memory, zeros behind
constexpr int ITEMS = (WIDTH + THREADS * V - 1) / (THREADS * V);
static_assert(2 * ROWS <= 32, "a lane per output");

// Up to three matrices of WIDTH columns, one after the other, each with its own output.
struct Maps {
  const W *weight0, *weight1, *weight2;
  T *out0, *out1, *out2;
  int count0, count1, count2;

  __device__ int which(int row) const { return (row >= count0) + (row >= count0 + count1); }
  __device__ int place(int row, int m) const {
    return row - (m > 0 ? count0 : 0) - (m > 1 ? count1 : 0);
  }
  __device__ int count(int m) const { return m == 0 ? count0 : m == 1 ? count1 : count2; }
  __device__ T* out(int m) const { return m == 0 ? out0 : m == 1 ? out1 : out2; }
  __device__ const W* weight(int row) const {
    int m = which(row);
    const W* from = m == 0 ? weight0 : m == 1 ? weight1 : weight2;
    return from + place(row, m) * (long)WIDTH;
  }
};

// One channel of a short convolution with K taps: silu(w · inputs + b), the last K − 1 inputs kept
// in state (ROWS, K − 1, channels).
template <int K>
struct Channel {
  float taps[K > 0 ? K : 1], past[K > 1 ? K - 1 : 1], bias;

  __device__ void load(
      const GAIN* weight, const GAIN* biases, const T* state, int channel, int channels, int row) {
    EACH for (int m = 0; m < K; m++) taps[m] = wide(weight[channel * (long)K + m]);
    bias = biases ? wide(biases[channel]) : 0.f;
    EACH for (int m = 0; m + 1 < K; m++)
      past[m] = wide(state[(row * (K - 1) + m) * (long)channels + channel]);
  }

  __device__ T advance(float newest, T* state, int channel, int channels, int row) const {
    float sum = bias;
    EACH for (int m = 0; m < K; m++) sum += taps[m] * (m + 1 < K ? past[m] : newest);
    EACH for (int m = 0; m + 1 < K; m++)
      state[(row * (K - 1) + m) * (long)channels + channel] =
          narrow<T>(m + 2 < K ? past[m + 1] : newest);
    return narrow<T>(sum * Exact<T>::sigmoid(sum));
  }
};

// A pair's weights, AHEAD pieces a lane. Nothing here depends on where a row ends: behind it the
// last piece is read again, and multiplied by the zeros behind x.
struct Ahead {
  Pack<W, V> at[AHEAD][2];

  __device__ static int column(int from, int piece) {
    return from + piece * STRIDE + (threadIdx.x / 32 % TEAM * 32 + threadIdx.x % 32) * V;
  }
  __device__ void load(const W* a, const W* b, int from) {
    EACH for (int i = 0; i < AHEAD; i++) {
      int at = column(from, i);
      if (WIDTH % TURN != 0) at = min(at, WIDTH - V);
      this->at[i][0] = *reinterpret_cast<const Pack<W, V>*>(a + at);
      this->at[i][1] = *reinterpret_cast<const Pack<W, V>*>(b + at);
    }
  }
  __device__ void add(const T* rows, int from, float (&sums)[2][ROWS]) const {
    EACH for (int i = 0; i < AHEAD; i++) {
      EACH for (int r = 0; r < ROWS; r++) {
        float in[V];
        read<V>(rows + r * (long)PADDED + column(from, i), in);
        EACH for (int j = 0; j < V; j++) {
          sums[0][r] += wide(at[i][0].at[j]) * in[j];
          sums[1][r] += wide(at[i][1].at[j]) * in[j];
        }
      }
    }
  }
};

struct Gains {
  float at[ITEMS][V];

  __device__ static int column(int item) { return (item * THREADS + threadIdx.x) * V; }
  __device__ void load(const GAIN* gain) {
    EACH for (int i = 0; i < ITEMS; i++)
      EACH for (int j = 0; j < V; j++)
        at[i][j] = column(i) < WIDTH ? wide(gain[column(i) + j]) : 0.f;
  }
};

// f(x) into shared memory; block 0 writes it out as well where somebody wants it.
__device__ void take_rows(const T* x, const Gains& gains, float eps, T* normed, T* rows) {
  __shared__ float sums[WARPS][ROWS];
  EACH for (int b = 0; b < ROWS; b++) {
    for (int i = WIDTH + threadIdx.x; i < PADDED; i += THREADS)
      rows[b * (long)PADDED + i] = narrow<T>(0.f);
    float square = 0.f;
    EACH for (int i = 0; i < ITEMS; i++) {
      int at = Gains::column(i);
      if (at >= WIDTH) continue;
      float in[V];
      read<V>(x + b * (long)WIDTH + at, in);
      write<V>(rows + b * (long)PADDED + at, in);
      EACH for (int j = 0; j < V; j++) square += in[j] * in[j];
    }
    if (!NORM) continue;
    square = warp_sum(square);
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32][b] = square;
  }
  __syncthreads();
  if (!NORM) return;
  EACH for (int b = 0; b < ROWS; b++) {
    float square = 0.f;
    EACH for (int w = 0; w < WARPS; w++) square += sums[w][b];
    float scale = 1.f / sqrtf(square / WIDTH + eps);
    EACH for (int i = 0; i < ITEMS; i++) {
      int at = Gains::column(i);
      if (at >= WIDTH) continue;
      float in[V];
      read<V>(rows + b * (long)PADDED + at, in);
      EACH for (int j = 0; j < V; j++) in[j] = in[j] * scale * gains.at[i][j];
      write<V>(rows + b * (long)PADDED + at, in);
      if (normed && blockIdx.x == 0) write<V>(normed + b * (long)WIDTH + at, in);
    }
  }
  __syncthreads();
}

extern "C" __global__ void __launch_bounds__(THREADS, ROWS <= 2 ? RESIDENT : 2) row_linear(
    const T* x, const GAIN* __restrict__ gain, float eps, T* normed, const W* __restrict__ weight0,
    const W* __restrict__ weight1, const W* __restrict__ weight2, T* out0, T* out1, T* out2,
    int count0, int count1, int count2, const T* added0, const T* added1, int early,
    const GAIN* __restrict__ conv_weight, const GAIN* __restrict__ conv_bias, T* conv_state,
    int channels, T* convolved, const GAIN* __restrict__ near_weight,
    const GAIN* __restrict__ near_bias, T* near_state, T* near) {
  extern __shared__ __align__(16) char memory[];
  T* rows = reinterpret_cast<T*>(memory);
  __shared__ float parts[WARPS][2 * ROWS];
  Maps maps{weight0, weight1, weight2, out0, out1, out2, count0, count1, count2};
  int total = count0 + count1 + count2;
  int pairs = GATED ? count0 : (total + 1) / 2;
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, team = warp / TEAM, part = warp % TEAM;
  int first = blockIdx.x * TEAMS + team, teams = gridDim.x * TEAMS;

  auto weights = [&](int pair, int which) {
    if (GATED) return (which ? weight1 : weight0) + pair * (long)WIDTH;
    return maps.weight(min(2 * pair + which, total - 1));
  };
  auto expect = [&](int pair) {  // these weights soon
    if (V * sizeof(W) == 16 && part == 0 && lane < 2 && pair < pairs)
      prefetch(weights(pair, lane), WIDTH * sizeof(W));
  };
  Ahead ahead;
  Gains gains;
  if (first < pairs) ahead.load(weights(first, 0), weights(first, 1), 0);
  if (NORM) gains.load(gain);
  for (int turn = 0; turn < early; turn++) expect(first + turn * teams);
  wait_for_previous();
  take_rows(x, gains, eps, normed, rows);
  if (NEAR > 0) {
    int channel = blockIdx.x * THREADS + threadIdx.x;
    for (int r = 0; r < ROWS && channel < WIDTH; r++) {
      Channel<NEAR> one;
      one.load(near_weight, near_bias, near_state, channel, WIDTH, r);
      float in = wide(rows[r * (long)PADDED + channel]);
      T y = one.advance(in, near_state, channel, WIDTH, r);
      near[r * (long)WIDTH + channel] = narrow<T>(in + wide(y));
    }
  }

  for (int base = blockIdx.x * TEAMS; base < pairs; base += teams) {
    int pair = base + team;
    bool mine = pair < pairs;
    expect(pair + early * teams);
    // A lane per output; what it needs besides the sum is asked for first.
    int which = lane % 2, r = lane / 2, row = 2 * pair + which;
    bool writes = mine && part == 0 && r < ROWS && (GATED ? which == 0 : row < total);
    int m = GATED ? 0 : maps.which(row), place = maps.place(row, m);
    long at = r * (long)maps.count(m) + place;
    float first_more = 0.f, second_more = 0.f;
    Channel<CONV> channel;
    bool filtered = CONV > 0 && writes && row < channels;
    if (!GATED && writes) {
      if (added0) first_more = wide(added0[at]);
      if (added1) second_more = wide(added1[at]);
    }
    if (filtered) channel.load(conv_weight, conv_bias, conv_state, row, channels, r);

    float sums[2][ROWS] = {};
    if (mine) {
      const W *a = weights(pair, 0), *b = weights(pair, 1);
      if (base != blockIdx.x * TEAMS) ahead.load(a, b, 0);
      ahead.add(rows, 0, sums);
      for (int from = TURN; from < WIDTH; from += TURN) {
        ahead.load(a, b, from);
        ahead.add(rows, from, sums);
      }
    }
    EACH for (int s = 0; s < ROWS; s++) {
      sums[0][s] = warp_sum(sums[0][s]);
      sums[1][s] = warp_sum(sums[1][s]);
    }
    if (TEAM > 1) {
      if (lane == 0) {
        EACH for (int s = 0; s < ROWS; s++) {
          parts[warp][2 * s] = sums[0][s];
          parts[warp][2 * s + 1] = sums[1][s];
        }
      }
      __syncthreads();
      EACH for (int s = 0; s < ROWS; s++) {
        EACH for (int w = 0; w < 2; w++) {
          float sum = 0.f;
          EACH for (int p = 0; p < TEAM; p++) sum += parts[team * TEAM + p][2 * s + w];
          sums[w][s] = sum;
        }
      }
      __syncthreads();
    }
    if (!writes) continue;
    float own = 0.f, other = 0.f;
    EACH for (int s = 0; s < ROWS; s++) {
      if (s != r) continue;
      own = which ? sums[1][s] : sums[0][s];
      other = sums[1][s];
    }
    T y = narrow<T>(own);
    if (GATED) {
      float g = wide(y), u = wide(narrow<T>(other));
      out0[r * (long)count0 + pair] = narrow<T>(u * (g * Exact<T>::sigmoid(g)));
    } else if (filtered) {
      convolved[r * (long)channels + row] =
          channel.advance(wide(y), conv_state, row, channels, r);
    } else {
      if (added0) y = narrow<T>(wide(y) + first_more);
      if (added1) y = narrow<T>(second_more + wide(y));
      maps.out(m)[at] = y;
    }
  }
}
