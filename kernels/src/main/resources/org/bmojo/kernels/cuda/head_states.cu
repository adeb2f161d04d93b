// What the recurrences of head_scan.cuh need besides the walk through chunks: states from segment to
// segment, gradients of decays, and one token. No constants but ELEMENT.
#include "common.cuh"

using T = ELEMENT;

// Grid: elements of a state, heads of sequences. written (segments, B, H, elements): what each
// segment leaves of its own; wholes (segments, B, H): what it leaves of what came before. starts: what
// each segment begins with; last (B, H, elements): what the last leaves. initial null: nothing. Reversed,
// time runs from the last segment to the first.
extern "C" __global__ void head_chain(
    const float* __restrict__ written, const float* __restrict__ wholes,
    const float* __restrict__ initial, float* __restrict__ starts, float* __restrict__ last,
    int segments, long elements, int reversed) {
  long element = blockIdx.x * (long)blockDim.x + threadIdx.x;
  if (element >= elements) return;
  long head = blockIdx.y, heads = gridDim.y;
  float state = initial ? initial[head * elements + element] : 0.f;
  EACH_OF(4) for (int i = 0; i < segments; i++) {
    long at = (reversed ? segments - 1 - i : i) * heads + head;
    starts[at * elements + element] = state;
    state = wholes[at] * state + written[at * elements + element];
  }
  last[head * elements + element] = state;
}

// A sum that begins anew where `closed`; later tokens stand to the right.
struct Later {
  double sum;
  int closed;

  __device__ Later before(Later right) const {
    return {closed ? sum : sum + right.sum, closed | right.closed};
  }
};

// Grid: segments of `span` tokens, heads of sequences; 256 threads. dg (B, T, H): of every token the
// sum from it to its document's end of what is read (read_shares, B, H, T) less what is written
// (write_shares, B, H, T), and the anchor (anchor_shares, segments, B, H) of what lies beyond the
// segment.
extern "C" __global__ void head_decays(
    const float* __restrict__ reads, const float* __restrict__ writes,
    const float* __restrict__ anchors, const float* __restrict__ g, const int* __restrict__ begin,
    float* __restrict__ dg, int read_shares, int write_shares, int anchor_shares, long tokens,
    int heads, int span) {
  __shared__ Later warps[8];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  long all = gridDim.y, head = blockIdx.y, sequence = head / heads;
  long from = blockIdx.x * (long)span, end = min(from + span, tokens);
  double beyond = 0.;
  for (int i = 0; i < anchor_shares; i++)
    beyond += anchors[((long)i * gridDim.x + blockIdx.x) * all + head];
  for (long first = from + (end - from - 1) / 256 * 256; first >= from; first -= 256) {
    long token = first + threadIdx.x, line = sequence * tokens + token;
    auto begins = [&](long t) {
      long at = sequence * tokens + t;
      return begin && begin[at] == t || g[at * heads + head % heads] == -__int_as_float(0x7f800000);
    };
    bool there = token < end;
    Later own = {0., 0};
    if (there) {
      for (int i = 0; i < read_shares; i++) own.sum += reads[(i * all + head) * tokens + token];
      for (int i = 0; i < write_shares; i++) own.sum -= writes[(i * all + head) * tokens + token];
      own.closed = token + 1 < tokens && begins(token + 1);
    }
    EACH for (int ahead = 1; ahead < 32; ahead *= 2) {
      Later right = {__shfl_down_sync(ALL, own.sum, ahead), __shfl_down_sync(ALL, own.closed, ahead)};
      if (lane + ahead < 32) own = own.before(right);
    }
    __syncthreads();  // the sums of the tokens after these have been read
    if (lane == 0) warps[warp] = own;
    __syncthreads();
    Later rest = {beyond, 0};
    for (int w = 7; w > warp; w--) rest = warps[w].before(rest);
    if (there) dg[line * heads + head % heads] = begins(token) ? 0.f : (float)own.before(rest).sum;
    for (int w = warp; w >= 0; w--) rest = warps[w].before(rest);
    beyond = rest.sum;
  }
}

// Grid: 32 columns of the values each, heads of sequences; 256 threads. One token: state (B, H, keys,
// values) advances in place.
extern "C" __global__ void ssd_step(
    const T* __restrict__ q, const T* __restrict__ k, const T* __restrict__ v,
    const float* __restrict__ g, float* __restrict__ state, T* __restrict__ y, int keys,
    int values) {
  __shared__ float parts[8][32];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, column = blockIdx.x * 32 + lane;
  long head = blockIdx.y;
  bool real = column < values;
  float left = expf(g[head]), value = real ? wide(v[head * values + column]) : 0.f, sum = 0.f;
  EACH_OF(4) for (int n = warp; n < keys; n += 8) {
    if (!real) break;
    float* at = state + (head * keys + n) * values + column;
    float s = left * *at + wide(k[head * keys + n]) * value;
    *at = s;
    sum += wide(q[head * keys + n]) * s;
  }
  parts[warp][lane] = sum;
  __syncthreads();
  if (warp > 0 || !real) return;
  for (int w = 1; w < 8; w++) sum += parts[w][lane];
  y[head * values + column] = narrow<T>(sum);
}

// The same of the gated delta rule; β (B, H).
extern "C" __global__ void delta_step(
    const T* __restrict__ q, const T* __restrict__ k, const T* __restrict__ v,
    const float* __restrict__ beta, const float* __restrict__ g, float* __restrict__ state,
    T* __restrict__ y, int keys, int values) {
  __shared__ float parts[8][32], written[32];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, column = blockIdx.x * 32 + lane;
  long head = blockIdx.y;
  bool real = column < values;
  float left = expf(g[head]), sum = 0.f;
  float* own = state + head * keys * values + column;
  EACH_OF(4) for (int n = warp; n < keys; n += 8)
    if (real) sum += wide(k[head * keys + n]) * own[(long)n * values];
  parts[warp][lane] = sum;
  __syncthreads();
  if (warp == 0) {
    for (int w = 1; w < 8; w++) sum += parts[w][lane];
    written[lane] = real ? beta[head] * (wide(v[head * values + column]) - left * sum) : 0.f;
  }
  __syncthreads();
  sum = 0.f;
  EACH_OF(4) for (int n = warp; n < keys; n += 8) {
    if (!real) break;
    float* at = own + (long)n * values;
    float s = left * *at + wide(k[head * keys + n]) * written[lane];
    *at = s;
    sum += wide(q[head * keys + n]) * s;
  }
  parts[warp][lane] = sum;
  __syncthreads();
  if (warp > 0 || !real) return;
  for (int w = 1; w < 8; w++) sum += parts[w][lane];
  y[head * values + column] = narrow<T>(sum);
}
