// The selective scan (S6), backward. Constants: ELEMENT type, N states, STATES of them per thread
// (a power of two, at least N / 4), PAIR 2 or 1 channels per load, RESIDENT blocks that shall fit on
// a multiprocessor.
//
// As forward, a warp owns eight channels of one sequence. It walks back through time from one
// checkpoint to the one before, 16 tokens. Lane 4g + j:
//
//   prepare   softplus, products and dy·silu(z) of tokens g and g + 8, channels 2j and 2j + 1
//   advance   states j·STATES … of channel g from the checkpoint on; eight tokens' fit in registers,
//             so the second half comes first, and the first half's states are computed twice
//   return    their gradients, last token first. Sums over states end where prepare's tokens and
//             channels are; sums over channels, for b and c, are those of the warp
//   finish    gradients of the inputs → global memory; the block adds its warps' sums
//
// For bfloat16 activations the sums are products on tensor cores. A lane's values are a right
// operand, states by channels. From the left, C or ones sum over the states. Where the sum is over
// the channels, a first product with ones in the diagonal turns them into a left operand. What ends
// in bfloat16 is summed from bfloat16; the sums behind float32 gradients keep float32's digits.
#include "common.cuh"
#include "selective_scan.cuh"

constexpr int WARPS = 4, LANES = 4;  // of a block; of a channel
constexpr int TILE = BETWEEN, HALF = 8;
constexpr int PADDED = LANES * STATES;
constexpr int STATE_VECTOR = N % STATES == 0 ? STATES : 1;
constexpr int PARTS = (STATES + 3) / 4;  // of 16 states, rows of a tensor core's product
constexpr bool TENSOR = sizeof(T) == 2;

using Two = Raw<2>;
using Map = Raw<STATES>;

struct alignas(16) Step {
  float delta, input, gated, unused;  // Δ, Δ·u, dy·silu(z)
};

enum Sum { READ, INPUT, RATES };  // Σ_n h·c, Σ_n dh·b, Σ_n of the decays' gradient · a

struct alignas(16) Tile {  // of one warp
  Step step[TILE][8];
  float b[TILE][PADDED], c[TILE][PADDED];
  float sums[TENSOR ? 1 : 3][TENSOR ? 1 : TILE][8];
};

// What a lane needs of 16 tokens, as it lies in memory.
struct Inputs {
  Two u[2], delta[2], z[2], dy[2];
  Map b[2], c[2];
};

// A lane's states of one token as right operands, two by two.
struct Packed {
  unsigned pair[2 * PARTS] = {};

  __device__ __forceinline__ explicit Packed(const float (&values)[STATES]) {
    EACH for (int s = 0; s < STATES; s += 2)
      pair[s / 2] = packed(values[s], s + 1 < STATES ? values[s + 1 < STATES ? s + 1 : 0] : 0.f);
  }
};

// Sums over states, of tokens g and g + 8, channels 2j and 2j + 1.
struct StateSums {
  float at[2][2] = {};

  // Token t: Σ_s values · map over the lanes of a channel, in bfloat16.
  __device__ __forceinline__ void add(int t, const Map (&map)[2], const Packed& values) {
    EACH for (int p = 0; p < PARTS; p++) {
      constexpr int LAST = Map::WORDS - 1;
      int w = 2 * p, v = w < LAST ? w + 1 : 0;
      unsigned left[4] = {map[0].word[w], map[1].word[w], w < LAST ? map[0].word[v] : 0,
                          w < LAST ? map[1].word[v] : 0};
      float rows[4];
      multiply_bf16(rows, left, values.pair[w], values.pair[w + 1]);
      keep(t, rows, p > 0);
    }
  }

  // The same of one value per lane, in float32: its leading bits and what is left beside them.
  __device__ __forceinline__ void add(int t, float value) {
    float lead = __uint_as_float(__float_as_uint(value) & 0xffffe000u);
    float rows[4], left[4] = {1.f, 1.f, 1.f, 1.f};
    multiply_tf32(rows, left, lead, value - lead);
    keep(t, rows, false);
  }

  __device__ __forceinline__ void keep(int t, const float (&rows)[4], bool more) {
    int g = threadIdx.x % 32 / LANES;
    EACH for (int i = 0; i < 2; i++)
      if (t % 8 == g) at[t / 8][i] = rows[t / 8 * 2 + i] + (more ? at[t / 8][i] : 0.f);
  }
};

// Sums over the warp's channels of eight tokens: states by tokens.
struct ChannelSums {
  float at[PARTS][4] = {};

  // Token t: Σ_channels values · weight; weights are those of tokens g (+ 8), channels 2j, 2j + 1.
  // Ones in the diagonal, row 2j' + i (+ 8) for pair i of lane j', turn the values around.
  __device__ __forceinline__ void add(
      int t, const Packed& values, const unsigned (&weight)[2]) {
    int g = threadIdx.x % 32 / LANES, j = threadIdx.x % LANES;
    unsigned one = g / 2 == j ? 0x3f80u << g % 2 * 16 : 0u, diagonal[4] = {one, 0, 0, one};
    unsigned right = t % 8 == g ? weight[t / 8] : 0u;
    EACH for (int p = 0; p < PARTS; p++) {
      float rows[4];
      multiply_bf16(rows, diagonal, values.pair[2 * p], values.pair[2 * p + 1]);
      unsigned left[2] = {packed(rows[0], rows[1]), packed(rows[2], rows[3])};
      add_bf16(at[p], left, right);
    }
  }

  // → to (8 tokens, stride apart, PADDED): row 2j' + i is state j'·STATES + 4p + i, row 8 + 2j' + i
  // the one two further.
  __device__ __forceinline__ void store(float* to, int stride) const {
    int g = threadIdx.x % 32 / LANES, j = threadIdx.x % LANES;
    EACH for (int p = 0; p < PARTS; p++)
      EACH for (int k = 0; k < 4; k++) {
        int inner = p * 4 + k / 2 * 2 + g % 2;
        if (inner < STATES) to[(2 * j + k % 2) * stride + g / 2 * STATES + inner] = at[p][k];
      }
  }
};

// Gradients of u, delta, z (B, T, I) and initial (B, I, N); sums (B, I, N + 2) of a, d and
// delta_bias per sequence; maps (B, blocks of channels, T, 2, N) of b and c per block.
extern "C" __global__ void __launch_bounds__(WARPS * 32, RESIDENT) scan_backward(
    const T* __restrict__ u, const T* __restrict__ delta, const float* __restrict__ a,
    const T* __restrict__ b, const T* __restrict__ c, const float* __restrict__ d,
    const T* __restrict__ z, const float* __restrict__ delta_bias,
    const float* __restrict__ checkpoints, const T* __restrict__ dy,
    const float* __restrict__ d_last, T* __restrict__ du, T* __restrict__ d_delta,
    T* __restrict__ dz, float* __restrict__ d_initial, float* __restrict__ sums,
    float* __restrict__ maps, long tokens, int channels) {
  extern __shared__ __align__(16) char memory[];
  Tile* tiles = reinterpret_cast<Tile*>(memory);
  // Each warp's part of the gradients of b and c; tiles take turns.
  auto shares = reinterpret_cast<float(*)[WARPS][TILE][2][PADDED]>(tiles + WARPS);
  int warp = threadIdx.x / 32, g = threadIdx.x % 32 / LANES, j = threadIdx.x % LANES;
  Tile& tile = tiles[warp];
  long sequence = blockIdx.y, first = sequence * tokens;
  int inner = warp * 8 + g, own = blockIdx.x * CHANNELS + inner;
  float rate[STATES], dh[STATES], d_rate[STATES];
  EACH for (int s = 0; s < STATES; s++) {
    int n = j * STATES + s;
    bool real = n < N && own < channels;
    rate[s] = real ? a[(long)own * N + n] * Exactly::RATE : 0.f;
    dh[s] = real && d_last ? d_last[(sequence * channels + own) * N + n] : 0.f;
    d_rate[s] = 0.f;
  }

  int channel = blockIdx.x * CHANNELS + warp * 8 + 2 * j;
  float bias[2], skip[2], d_skip[2] = {}, d_bias[2] = {};
  EACH for (int i = 0; i < 2; i++) {
    bias[i] = channel + i < channels ? delta_bias[channel + i] : 0.f;
    skip[i] = channel + i < channels ? d[channel + i] : 0.f;
  }

  Inputs now, next;
  float origin[STATES], next_origin[STATES];
  auto fetch_tile = [&](long index) {
    EACH for (int k = 0; k < 2; k++) {
      long t = index * TILE + g + 8 * k, row = (first + t) * channels, map = (first + t) * N;
      bool inside = t < tokens;
      next.u[k].fetch<PAIR>(u + row, channel, channels, inside);
      next.delta[k].fetch<PAIR>(delta + row, channel, channels, inside);
      next.z[k].fetch<PAIR>(z + row, channel, channels, inside);
      next.dy[k].fetch<PAIR>(dy + row, channel, channels, inside);
      next.b[k].fetch<STATE_VECTOR>(b + map, j * STATES, N, inside);
      next.c[k].fetch<STATE_VECTOR>(c + map, j * STATES, N, inside);
    }
    const float* from = checkpoints + checkpoint(index, tokens) + inner;
    EACH for (int s = 0; s < STATES; s++)
      next_origin[s] = j * STATES + s < N ? from[(j * STATES + s) * CHANNELS] : 0.f;
  };

  long index = (tokens + TILE - 1) / TILE - 1;
  fetch_tile(index);
  for (; index >= 0; index--) {
    long start = index * TILE;
    now = next;
    EACH for (int s = 0; s < STATES; s++) origin[s] = next_origin[s];
    unsigned input_pair[2], gated_pair[2];
    EACH for (int k = 0; k < 2; k++) {
      int t = g + 8 * k;
      float input[2], gated[2];
      EACH for (int i = 0; i < 2; i++) {
        float step = Exactly::softplus(now.delta[k][i] + bias[i]);
        if (start + t >= tokens) step = 0.f;
        float gate = now.z[k][i];
        input[i] = step * now.u[k][i];
        gated[i] = now.dy[k][i] * gate * Exactly::sigmoid(gate);
        tile.step[t][2 * j + i] = Step{step, input[i], gated[i], 0.f};
      }
      input_pair[k] = packed(input[0], input[1]), gated_pair[k] = packed(gated[0], gated[1]);
      spread(now.b[k], &tile.b[t][j * STATES]);
      spread(now.c[k], &tile.c[t][j * STATES]);
    }
    __syncwarp();

    auto advance = [&](int t, const float (&from)[STATES], float (&to)[STATES]) {
      Step step = tile.step[t][g];
      float bt[STATES];
      read<STATES>(&tile.b[t][j * STATES], bt);
      EACH for (int s = 0; s < STATES; s++)
        to[s] = Exactly::decay(step.delta * rate[s]) * from[s] + step.input * bt[s];
    };
    StateSums reads, inputs, rates;
    auto half = [&](int begin, const float (&before)[STATES]) {
      float h[HALF][STATES];
      __syncwarp();
      advance(begin, before, h[0]);
      EACH for (int i = 1; i < HALF; i++) advance(begin + i, h[i - 1], h[i]);
      ChannelSums of_b, of_c;
      float(*share)[2][PADDED] = &shares[index % 2][warp][begin];
      EACH for (int i = HALF - 1; i >= 0; i--) {
        int t = begin + i;
        __syncwarp();  // lest all tokens' loads and exponentials come first and fill the registers
        Step step = tile.step[t][g];
        float bt[STATES], ct[STATES], input_here = 0.f, rated = 0.f;
        read<STATES>(&tile.b[t][j * STATES], bt);
        read<STATES>(&tile.c[t][j * STATES], ct);
        EACH for (int s = 0; s < STATES; s++) {
          dh[s] += step.gated * ct[s];
          input_here += dh[s] * bt[s];
        }
        if constexpr (TENSOR) {
          Packed state(h[i]);
          reads.add(t, now.c, state);
          of_c.add(t, state, gated_pair);
          of_b.add(t, Packed(dh), input_pair);
        } else {
          float read_here = 0.f;
          EACH for (int s = 0; s < STATES; s++) {
            read_here += h[i][s] * ct[s];
            float to_b = dh[s] * step.input, to_c = h[i][s] * step.gated;
            EACH for (int other = LANES; other < 32; other *= 2) {
              to_b += __shfl_xor_sync(ALL, to_b, other);
              to_c += __shfl_xor_sync(ALL, to_c, other);
            }
            if (g == 0) share[i][0][j * STATES + s] = to_b, share[i][1][j * STATES + s] = to_c;
          }
          EACH for (int other = 1; other < LANES; other *= 2)
            read_here += __shfl_xor_sync(ALL, read_here, other);
          if (j == 0) tile.sums[READ][t][g] = read_here;
        }
        EACH for (int s = 0; s < STATES; s++) {
          dh[s] *= Exactly::decay(step.delta * rate[s]);
          float exponent = dh[s] * (i > 0 ? h[i > 0 ? i - 1 : 0][s] : before[s]);
          d_rate[s] += exponent * step.delta;
          rated += exponent * rate[s];
        }
        if constexpr (TENSOR) {
          inputs.add(t, input_here);
          rates.add(t, rated);
        } else {
          EACH for (int other = 1; other < LANES; other *= 2) {
            input_here += __shfl_xor_sync(ALL, input_here, other);
            rated += __shfl_xor_sync(ALL, rated, other);
          }
          if (j == 0) tile.sums[INPUT][t][g] = input_here, tile.sums[RATES][t][g] = rated;
        }
      }
      if (TENSOR) {
        of_b.store(share[0][0], 2 * PADDED);
        of_c.store(share[0][1], 2 * PADDED);
      }
    };
    float middle[STATES];
    advance(0, origin, middle);
    EACH for (int t = 1; t < HALF; t++) advance(t, middle, middle);
    half(HALF, middle);
    if (index > 0) fetch_tile(index - 1);
    half(0, origin);
    __syncwarp();

    EACH for (int k = 0; k < 2; k++) {
      int t = g + 8 * k;
      float out_u[2], out_delta[2], out_z[2];
      EACH for (int i = 0; i < 2; i++) {
        float read_here = reads.at[k][i], input_here = inputs.at[k][i], rated = rates.at[k][i];
        if constexpr (!TENSOR) {
          read_here = tile.sums[READ][t][2 * j + i], input_here = tile.sums[INPUT][t][2 * j + i];
          rated = tile.sums[RATES][t][2 * j + i];
        }
        float in = now.u[k][i], gate = now.z[k][i];
        float open = Exactly::sigmoid(gate);
        Step step = tile.step[t][2 * j + i];
        out_z[i] = now.dy[k][i] * (read_here + skip[i] * in) *
                   (open * (1.f + gate * (1.f - open)));
        out_u[i] = input_here * step.delta + step.gated * skip[i];
        out_delta[i] = (rated / Exactly::RATE + input_here * in) *
                       Exactly::sigmoid(now.delta[k][i] + bias[i]);
        if (start + t >= tokens) out_delta[i] = 0.f;
        d_skip[i] += step.gated * in;
        d_bias[i] += out_delta[i];
      }
      if (start + t < tokens) {
        long row = (first + start + t) * channels;
        store<PAIR>(du + row, channel, channels, out_u);
        store<PAIR>(d_delta + row, channel, channels, out_delta);
        store<PAIR>(dz + row, channel, channels, out_z);
      }
    }
    __syncthreads();  // all shares are there, and those of the other turn have been added
    long row = ((sequence * gridDim.x + blockIdx.x) * tokens + start) * 2 * N;
    for (int i = threadIdx.x; i < TILE * 2 * N; i += WARPS * 32) {
      int t = i / (2 * N), map = i / N % 2, n = i % N;
      float sum = 0.f;
      EACH for (int w = 0; w < WARPS; w++) sum += shares[index % 2][w][t][map][n];
      if (start + t < tokens) maps[row + i] = sum;
    }
  }

  long slot = (sequence * channels + own) * (N + 2);
  EACH for (int s = 0; s < STATES; s++) {
    int n = j * STATES + s;
    if (n < N && own < channels) {
      d_initial[(sequence * channels + own) * N + n] = dh[s];
      sums[slot + n] = d_rate[s];
    }
  }
  EACH for (int i = 0; i < 2; i++) {
    EACH for (int other = LANES; other < 32; other *= 2) {
      d_skip[i] += __shfl_xor_sync(ALL, d_skip[i], other);
      d_bias[i] += __shfl_xor_sync(ALL, d_bias[i], other);
    }
    if (g == 0 && channel + i < channels) {
      long at = (sequence * channels + channel + i) * (N + 2) + N;
      sums[at] = d_skip[i];
      sums[at + 1] = d_bias[i];
    }
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
