// Causal depthwise convolution and silu. Constants: ELEMENT type, WEIGHT the filter's, K its width,
// VECTOR channels per thread, RUN tokens per thread, PACKED 1 where rows hold several documents: then
// `begin` (B, T) says with which token that of each begins, else it is not read.
//
// A thread slides over RUN tokens of VECTOR channels with the last K inputs in registers; the K − 1
// it shares with its neighbours come from the cache. AHEAD tokens are asked for at once,
// while those before them are worked on; wider loads, which take more registers, leave too few warps
// that wait at the same time.
#include "common.cuh"

using T = ELEMENT;
constexpr int V = VECTOR, AHEAD = K <= 5 ? 4 : 8;
using Token = Words<T, V>;

struct Filter {
  float weight[K][V], bias[V];

  __device__ Filter(const WEIGHT* w, const WEIGHT* b, int channel) {
    EACH for (int j = 0; j < V; j++) {
      bias[j] = b ? wide(b[channel + j]) : 0.f;
      EACH for (int m = 0; m < K; m++) weight[m][j] = wide(w[(channel + j) * (long)K + m]);
    }
  }

  // Before silu; window[m] is the input K − 1 − m tokens ago, which taps from `first` on read.
  __device__ float apply(const float (&window)[K][V], int j, int first) const {
    float sum = bias[j];
    EACH for (int m = 0; m < K; m++)
      if (!PACKED || m >= first) sum += weight[m][j] * window[m][j];
    return sum;
  }
};

// The first tap of token t that does not reach into another document.
__device__ __forceinline__ int first_tap(const int* begin, long sequence, long t, long tokens) {
  if (!PACKED || t < 0 || t >= tokens) return 0;
  return (int)max(0L, begin[sequence * tokens + t] - (t - K + 1));
}

// Input of token t of this sequence, from the carried state where t < 0, zero beyond the end.
__device__ __forceinline__ Token token(
    const T* x, const T* initial, long sequence, long t, long tokens, int channels, int channel) {
  const T* from = nullptr;
  if (t >= 0) {
    if (t < tokens) from = x + (sequence * tokens + t) * channels + channel;
  } else if (initial && t >= 1 - K) {
    from = initial + (sequence * (K - 1) + t + K - 1) * channels + channel;
  }
  Token token;
  token.clear();
  if (from) token.load(from);
  return token;
}

// The inputs of tokens t … t + AHEAD − 1.
__device__ __forceinline__ void several(
    const T* x, const T* initial, long sequence, long t, long tokens, int channels, int channel,
    Token (&to)[AHEAD]) {
  if (t >= 0 && t + AHEAD <= tokens) {
    const T* from = x + (sequence * tokens + t) * channels + channel;
    EACH for (int a = 0; a < AHEAD; a++) to[a].load(from + a * (long)channels);
  } else {
    EACH for (int a = 0; a < AHEAD; a++)
      to[a] = token(x, initial, sequence, t + a, tokens, channels, channel);
  }
}

__device__ __forceinline__ void unpack(const Token& token, float (&to)[V]) {
  EACH for (int j = 0; j < V; j++) to[j] = token[j];
}

struct Yes {
  static constexpr bool value = true;
};
struct No {
  static constexpr bool value = false;
};

__device__ __forceinline__ void slide(float (&window)[K][V]) {
  EACH for (int m = 0; m + 1 < K; m++)
    EACH for (int j = 0; j < V; j++) window[m][j] = window[m + 1][j];
}

extern "C" __global__ void conv_forward(
    const T* __restrict__ x, const WEIGHT* __restrict__ weight, const WEIGHT* __restrict__ bias,
    const T* __restrict__ initial, const int* __restrict__ begin, T* __restrict__ y,
    T* __restrict__ last, long tokens, int channels) {
  int channel = (blockIdx.x * blockDim.x + threadIdx.x) * V;
  if (channel >= channels) return;
  long sequence = blockIdx.z, start = blockIdx.y * (long)RUN;
  auto input = [&](long t) { return token(x, initial, sequence, t, tokens, channels, channel); };
  Filter filter(weight, bias, channel);
  float window[K][V];
  EACH for (int m = 0; m + 1 < K; m++) unpack(input(start + m - K + 1), window[m]);
  long row = (sequence * tokens + start) * channels + channel;
  // AHEAD tokens; nothing is asked of those that all lie inside the sequence.
  auto group = [&](auto inside, long t0, const Token (&now)[AHEAD]) {
    T* to = y + row;
    EACH for (int a = 0; a < AHEAD; a++, to += channels) {
      unpack(now[a], window[K - 1]);
      float out[V];
      int first = first_tap(begin, sequence, t0 + a, tokens);
      EACH for (int j = 0; j < V; j++) {
        float sum = filter.apply(window, j, first);
        out[j] = sum * Exact<T>::sigmoid(sum);
      }
      if (inside.value || t0 + a < tokens) write<V>(to, out);
      slide(window);
    }
  };
  Token next[AHEAD];
  several(x, initial, sequence, start, tokens, channels, channel, next);
  for (int i = 0; i < RUN; i += AHEAD, row += AHEAD * (long)channels) {
    Token now[AHEAD];
    long t0 = start + i;
    EACH for (int a = 0; a < AHEAD; a++) now[a] = next[a];
    if (i + AHEAD < RUN)
      several(x, initial, sequence, t0 + AHEAD, tokens, channels, channel, next);
    if (t0 + AHEAD <= tokens) group(Yes(), t0, now); else group(No(), t0, now);
  }
  if (start + RUN < tokens) return;
  EACH for (int m = 0; m + 1 < K; m++) {
    float kept[V];
    unpack(input(tokens - K + 1 + m), kept);
    write<V>(last + (sequence * (K - 1) + m) * channels + channel, kept);
  }
}

// Runs cover the padded sequence: row q is token q − K + 1, and the first K − 1 rows belong to the
// carried state. parts (sequences · runs, I·K + I): sums for weight, then bias. What stands in
// before, unless it is null, joins dx.
extern "C" __global__ void __launch_bounds__(128, 6) conv_backward(
    const T* __restrict__ x, const WEIGHT* __restrict__ weight, const WEIGHT* __restrict__ bias,
    const T* __restrict__ initial, const int* __restrict__ begin, const T* __restrict__ dy,
    const T* __restrict__ before, T* __restrict__ dx, T* __restrict__ d_initial,
    float* __restrict__ parts, long tokens, int channels) {
  int channel = (blockIdx.x * blockDim.x + threadIdx.x) * V;
  if (channel >= channels) return;
  long sequence = blockIdx.z, start = blockIdx.y * (long)RUN;
  auto input = [&](long t) { return token(x, initial, sequence, t, tokens, channels, channel); };
  Filter filter(weight, bias, channel);
  float window[K][V], g[K][V] = {}, d_weight[K][V] = {}, d_bias[V] = {};  // g[m]: m tokens ago
  int first[K] = {};                                                     // and its first tap
  EACH for (int m = 0; m + 1 < K; m++)
    unpack(input(start - AHEAD + m - K + 1), window[m]);
  // AHEAD rows; of those that all lie inside the sequence and the run nothing is asked.
  auto group = [&](auto inside, int i, const Token (&x_now)[AHEAD], const Token (&dy_now)[AHEAD]) {
    float out[AHEAD][V];
    EACH for (int a = 0; a < AHEAD; a++) {
      long q = start + i + a;  // token q's gradient before silu reaches rows q … q + K − 1
      unpack(x_now[a], window[K - 1]);
      EACH for (int m = K - 1; m > 0; m--)
        EACH for (int j = 0; j < V; j++) g[m][j] = g[m - 1][j];
      EACH for (int m = K - 1; m > 0; m--) first[m] = first[m - 1];
      first[0] = first_tap(begin, sequence, q, tokens);
      float d[V];
      unpack(dy_now[a], d);
      EACH for (int j = 0; j < V; j++) {
        float sum = filter.apply(window, j, first[0]), open = Exact<T>::sigmoid(sum);
        g[0][j] = d[j] * (open * (1.f + sum * (1.f - open)));
        if (inside.value || i >= 0) {
          d_bias[j] += g[0][j];
          EACH for (int m = 0; m < K; m++)
            if (!PACKED || m >= first[0]) d_weight[m][j] += g[0][j] * window[m][j];
        }
        out[a][j] = 0.f;
        EACH for (int m = 0; m < K; m++)
          if (!PACKED || m >= first[m]) out[a][j] += filter.weight[m][j] * g[m][j];
      }
      slide(window);
    }
    if (!inside.value && i < 0) return;
    long at = (sequence * tokens + start + i - K + 1) * channels + channel;
    if (before) {
      EACH for (int a = 0; a < AHEAD; a++) {
        long q = start + i + a;
        if (!inside.value && (q < K - 1 || q >= tokens + K - 1)) continue;
        float more[V];
        read<V>(before + at + a * (long)channels, more);
        EACH for (int j = 0; j < V; j++) out[a][j] += more[j];
      }
    }
    EACH for (int a = 0; a < AHEAD; a++) {
      long q = start + i + a;
      if (inside.value || q >= K - 1 && q < tokens + K - 1)
        write<V>(dx + at + a * (long)channels, out[a]);
      else if (q < K - 1)
        write<V>(d_initial + (sequence * (K - 1) + q) * channels + channel, out[a]);
    }
  };
  // The first AHEAD tokens belong to the run before; only their gradients are of use here.
  Token x_next[AHEAD], dy_next[AHEAD];
  several(x, initial, sequence, start - AHEAD, tokens, channels, channel, x_next);
  several(dy, nullptr, sequence, start - AHEAD, tokens, channels, channel, dy_next);
  for (int i = -AHEAD; i < RUN; i += AHEAD) {
    Token x_now[AHEAD], dy_now[AHEAD];
    EACH for (int a = 0; a < AHEAD; a++) x_now[a] = x_next[a], dy_now[a] = dy_next[a];
    if (i + AHEAD < RUN) {
      several(x, initial, sequence, start + i + AHEAD, tokens, channels, channel, x_next);
      several(dy, nullptr, sequence, start + i + AHEAD, tokens, channels, channel, dy_next);
    }
    if (i >= 0 && start + i >= K - 1 && start + i + AHEAD <= tokens)
      group(Yes(), i, x_now, dy_now);
    else
      group(No(), i, x_now, dy_now);
  }
  float* part = parts + (sequence * gridDim.y + blockIdx.y) * (long)channels * (K + 1);
  EACH for (int j = 0; j < V; j++) {
    EACH for (int m = 0; m < K; m++) part[(channel + j) * (long)K + m] = d_weight[m][j];
    part[channels * (long)K + channel + j] = d_bias[j];
  }
}

extern "C" __global__ void conv_sum_parts(
    const float* __restrict__ parts, float* __restrict__ total, int count, long width) {
  sum_columns(parts, total, count, width);
}

// One token; state (B, K − 1, I) advances in place.
extern "C" __global__ void conv_step(
    const T* __restrict__ x, const WEIGHT* __restrict__ weight, const WEIGHT* __restrict__ bias,
    T* __restrict__ state, T* __restrict__ y, int channels) {
  int channel = (blockIdx.x * blockDim.x + threadIdx.x) * V;
  if (channel >= channels) return;
  long sequence = blockIdx.y;
  Filter filter(weight, bias, channel);
  float window[K][V], out[V];
  EACH for (int m = 0; m < K; m++)
    unpack(token(x, state, sequence, m - K + 1, 1, channels, channel), window[m]);
  EACH for (int j = 0; j < V; j++) {
    float sum = filter.apply(window, j, 0);
    out[j] = sum * Exact<T>::sigmoid(sum);
  }
  write<V>(y + sequence * channels + channel, out);
  EACH for (int m = 0; m + 1 < K; m++)
    write<V>(state + (sequence * (K - 1) + m) * channels + channel, window[m + 1]);
}
