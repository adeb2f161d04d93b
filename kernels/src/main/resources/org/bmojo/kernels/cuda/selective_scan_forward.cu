// The selective scan (S6), forward and one step. Constants: ELEMENT type, N states, STATES of them
// per thread (a power of two, at least N / 4), PAIR 2 or 1 channels per load.
//
// A warp is on its own: it owns eight channels of one sequence and walks through time, 16 tokens at
// a time, without a barrier. Lane 4g + j:
//
//   prepare   softplus and products for tokens g and g + 8, channels 2j and 2j + 1 → shared memory
//   advance   states j·STATES … of channel g over the 16 tokens
//   read      Σ_n h·c, which leaves the sums where prepare's tokens and channels are
//   finish    skip and gate of those → global memory
//
// Special-function units bound it (16 results a clock per multiprocessor): one exponential per
// token, channel and state, and four more per token and channel. So nothing else may take many
// instructions: bfloat16 activations are read by tensor cores, C (16 tokens × states) · h (states ×
// 8 channels), although only the row of one token is of use.
#include "common.cuh"
#include "selective_scan.cuh"

constexpr int WARPS = 4, LANES = 4;  // of a block; of a channel
constexpr int TILE = BETWEEN;        // tokens
constexpr int PADDED = LANES * STATES;
constexpr int STATE_VECTOR = N % STATES == 0 ? STATES : 1;
constexpr bool TENSOR = sizeof(T) == 2;

using Two = Raw<2>;
using Map = Raw<STATES>;

struct alignas(16) Tile {  // of one warp
  float2 step[TILE][8];                // Δ and Δ·u
  float b[TILE][PADDED];
  float c[TENSOR ? 1 : TILE][PADDED];  // float32 activations only, like the next
  float read[TENSOR ? 1 : TILE][8];
};

// What a lane needs of 16 tokens, as it lies in memory.
struct Inputs {
  Two u[2], delta[2], z[2];
  Map b[2], c[2];
};

// y (B, T, I), last (B, I, N); checkpoints null: none.
extern "C" __global__ void __launch_bounds__(WARPS * 32) scan_forward(
    const T* __restrict__ u, const T* __restrict__ delta, const float* __restrict__ a,
    const T* __restrict__ b, const T* __restrict__ c, const float* __restrict__ d,
    const T* __restrict__ z, const float* __restrict__ delta_bias,
    const float* __restrict__ initial, T* __restrict__ y, float* __restrict__ last,
    float* __restrict__ checkpoints, long tokens, int channels) {
  __shared__ Tile tiles[WARPS];
  int warp = threadIdx.x / 32, g = threadIdx.x % 32 / LANES, j = threadIdx.x % LANES;
  Tile& tile = tiles[warp];
  long sequence = blockIdx.y, first = sequence * tokens;
  int inner = warp * 8 + g, own = blockIdx.x * CHANNELS + inner;
  float rate[STATES], h[STATES];
  EACH for (int s = 0; s < STATES; s++) {
    int n = j * STATES + s;
    bool real = n < N && own < channels;
    rate[s] = real ? a[(long)own * N + n] * Exactly::RATE : 0.f;
    h[s] = real && initial ? initial[(sequence * channels + own) * N + n] : 0.f;
  }

  int channel = blockIdx.x * CHANNELS + warp * 8 + 2 * j;
  float bias[2], skip[2];
  EACH for (int i = 0; i < 2; i++) {
    bias[i] = channel + i < channels ? delta_bias[channel + i] : 0.f;
    skip[i] = channel + i < channels ? d[channel + i] : 0.f;
  }
  auto fetch_tile = [&](Inputs& raw, long start) {
    EACH for (int k = 0; k < 2; k++) {
      long t = start + g + 8 * k, row = (first + t) * channels, map = (first + t) * N;
      bool inside = t < tokens;
      raw.u[k].fetch<PAIR>(u + row, channel, channels, inside);
      raw.delta[k].fetch<PAIR>(delta + row, channel, channels, inside);
      raw.z[k].fetch<PAIR>(z + row, channel, channels, inside);
      raw.b[k].fetch<STATE_VECTOR>(b + map, j * STATES, N, inside);
      raw.c[k].fetch<STATE_VECTOR>(c + map, j * STATES, N, inside);
    }
  };

  Inputs now, next;
  fetch_tile(next, 0);
  for (long start = 0; start < tokens; start += TILE) {
    now = next;
    EACH for (int k = 0; k < 2; k++) {
      int t = g + 8 * k;
      EACH for (int i = 0; i < 2; i++) {
        float step = Exactly::softplus(now.delta[k][i] + bias[i]);
        if (start + t >= tokens) step = 0.f;
        tile.step[t][2 * j + i] = make_float2(step, step * now.u[k][i]);
      }
      spread(now.b[k], &tile.b[t][j * STATES]);
      if (!TENSOR) spread(now.c[k], &tile.c[t][j * STATES]);
    }
    __syncwarp();

    if (start + TILE < tokens) fetch_tile(next, start + TILE);
    if (checkpoints) {
      float* to = checkpoints + checkpoint(start / BETWEEN, tokens) + inner;
      EACH for (int s = 0; s < STATES; s++)
        if (j * STATES + s < N) to[(j * STATES + s) * CHANNELS] = h[s];
    }
    float sums[2][2] = {};  // Σ_n h·c of tokens g and g + 8, channels 2j and 2j + 1
    EACH for (int t = 0; t < TILE; t++) {
      float2 step = tile.step[t][g];
      float bt[STATES];
      read<STATES>(&tile.b[t][j * STATES], bt);
      EACH for (int s = 0; s < STATES; s++)
        h[s] = Exactly::decay(step.x * rate[s]) * h[s] + step.y * bt[s];
      if constexpr (TENSOR) {
        float rows[4];
        EACH for (int s = 0; s < STATES; s += 2) {
          float of_c[4] = {now.c[0][s], now.c[1][s], 0.f, 0.f}, second = 0.f;
          if (s + 1 < STATES) {
            of_c[2] = now.c[0][s + 1], of_c[3] = now.c[1][s + 1];
            second = h[s + 1];
          }
          if (s == 0) {
            multiply_tf32(rows, of_c, h[s], second);
          } else {
            add_tf32(rows, of_c, h[s], second);
          }
        }
        EACH for (int i = 0; i < 2; i++)
          if (t % 8 == g) sums[t / 8][i] = rows[t / 8 * 2 + i];
      } else {
        float ct[STATES], sum = 0.f;
        read<STATES>(&tile.c[t][j * STATES], ct);
        EACH for (int s = 0; s < STATES; s++) sum += h[s] * ct[s];
        EACH for (int other = 1; other < LANES; other *= 2) sum += __shfl_xor_sync(ALL, sum, other);
        if (j == 0) tile.read[t][g] = sum;
      }
    }
    __syncwarp();

    EACH for (int k = 0; k < 2; k++) {
      int t = g + 8 * k;
      float out[2];
      EACH for (int i = 0; i < 2; i++) {
        float sum = TENSOR ? sums[k][i] : tile.read[TENSOR ? 0 : t][2 * j + i];
        float gate = now.z[k][i];
        out[i] = (sum + skip[i] * now.u[k][i]) * gate * Exactly::sigmoid(gate);
      }
      if (start + t < tokens) store<PAIR>(y + (first + start + t) * channels, channel, channels, out);
    }
    if (!TENSOR) __syncwarp();  // before the next tile's sums
  }
  EACH for (int s = 0; s < STATES; s++) {
    int n = j * STATES + s;
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
