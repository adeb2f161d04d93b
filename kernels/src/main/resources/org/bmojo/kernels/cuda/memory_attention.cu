// B'MOJO's attention, forward: a tile of one chunk's queries passes over its window's keys, its
// fading keys and its chunk's eidetic keys under one softmax.
//
// Keys come in tiles of 64 rows; the next is on its way to shared memory while this one is used.
// Logits live in registers, not yet scaled: the scale, at least 0, is part of the exponential.
#include "common.cuh"
#include "attention.cuh"

constexpr int KEYS = 64, KEY_TILE = KEYS * PITCH;
constexpr int EVERY = 1 << 30;

// Keys of one sequence and head. Query i of the tile is age + i − r tokens younger than row r, and
// sees it where that is at least 0 and less than span; no row but from … to is seen by any.
struct Keys {
  const bf16 *k, *v;
  long stride;
  int from, to, age, span;

  __device__ int tiles() const { return to > from ? (to - from + KEYS - 1) / KEYS : 0; }
};

// A query's logits so far: the largest, Σ 2^(rate · (logit − most)) of this lane's columns.
struct Softmax {
  float most = nothing(), sum = 0.f;

  // 2^−base brings the scaled logits down; returns what was summed before shrinks by.
  __device__ float raise(float to, float rate, float& base) {
    to = fmaxf(to, most);
    base = to == nothing() ? 0.f : rate * to;
    float shrink = exp2_fast(rate * most - base);
    most = to;
    sum *= shrink;
    return shrink;
  }
};

// 16 queries of a warp.
struct Queries {
  unsigned a[BLOCKS][4];
  float o[TILES][4] = {};
  Softmax softmax[2];

  __device__ void load(const bf16* rows) {
    EACH for (int d = 0; d < BLOCKS; d++) left<PITCH>(a[d], rows + 16 * d);
  }

  // A tile of keys: query 0 is `age` tokens younger than the first; biases, which are divided by
  // the scale, may be null. least: the first key that is of this lane's queries' documents.
  __device__ void see(
      const bf16* keys, const bf16* values, const float* biases, int age, int span,
      const int (&least)[2], float rate) {
    int lane = threadIdx.x % 32;
    float p[KEYS / 8][4] = {};
    EACH for (int d = 0; d < BLOCKS; d++) {
      EACH for (int n = 0; n < KEYS / 16; n++) {
        unsigned b[4];
        right_of_rows<PITCH>(b, keys + 16 * n * PITCH + 16 * d);
        multiply(p[2 * n], p[2 * n + 1], a[d], b);
      }
    }
    if (age < KEYS - 1 || age + 15 >= span) {
      EACH for (int n = 0; n < KEYS / 8; n++) {
        EACH for (int c = 0; c < 4; c++) {
          int apart = age + lane / 4 + c / 2 * 8 - (8 * n + lane % 4 * 2 + c % 2);
          if ((unsigned)apart >= (unsigned)span) p[n][c] = nothing();
        }
      }
    }
    if (PACKED && __ballot_sync(ALL, least[0] > 0 || least[1] > 0)) {
      EACH for (int n = 0; n < KEYS / 8; n++)
        EACH for (int c = 0; c < 4; c++)
          if (8 * n + lane % 4 * 2 + c % 2 < least[c / 2]) p[n][c] = nothing();
    }
    float most[2] = {nothing(), nothing()}, base[2], shrink[2];
    EACH for (int n = 0; n < KEYS / 8; n++) {
      if (biases) {
        EACH for (int c = 0; c < 4; c++) p[n][c] += biases[8 * n + lane % 4 * 2 + c % 2];
      }
      EACH for (int c = 0; c < 4; c++) most[c / 2] = fmaxf(most[c / 2], p[n][c]);
    }
    EACH for (int half = 0; half < 2; half++)
      shrink[half] = softmax[half].raise(quad_max(most[half]), rate, base[half]);
    EACH for (int n = 0; n < KEYS / 8; n++) {
      EACH for (int c = 0; c < 4; c++) {
        p[n][c] = exp2_fast(p[n][c] * rate - base[c / 2]);
        softmax[c / 2].sum += p[n][c];
      }
    }
    if (__ballot_sync(ALL, shrink[0] < 1.f || shrink[1] < 1.f)) {
      EACH for (int j = 0; j < TILES; j++)
        EACH for (int c = 0; c < 4; c++) o[j][c] *= shrink[c / 2];
    }
    EACH for (int n = 0; n < KEYS / 16; n++) {
      unsigned weights[4];
      as_left(weights, p[2 * n], p[2 * n + 1]);
      EACH for (int d = 0; d < BLOCKS; d++) {
        unsigned b[4];
        right<PITCH>(b, values + 16 * n * PITCH + 16 * d);
        multiply(o[2 * d], o[2 * d + 1], weights, b);
      }
    }
  }
};

// Grid: query tiles of all chunks, heads, sequences. Rows of the window's and the fading stream end
// with the queries'; with slots 0 there is no eidetic memory, with fading 0 no fading stream.
extern "C" __global__ void __launch_bounds__(THREADS) attention_forward(
    const bf16* __restrict__ q, const bf16* __restrict__ window_k,
    const bf16* __restrict__ window_v, int window_rows, int window,
    const bf16* __restrict__ fading_k, const bf16* __restrict__ fading_v, int fading_rows,
    int fading, const bf16* __restrict__ far_q, const bf16* __restrict__ far_k,
    const bf16* __restrict__ far_v, const float* __restrict__ bias,
    const int* __restrict__ begin, bf16* __restrict__ out, float* __restrict__ log_sum_exp, long tokens, int heads, int groups, int chunks, int slots,
    int chunk, int lead, float scale) {
  extern __shared__ __align__(16) char memory[];
  bf16 *near_rows = (bf16*)memory, *far_rows = near_rows + TILE, *stages = far_rows + TILE;
  float* biases = (float*)(stages + 4 * KEY_TILE);
  const Sizes s{tokens, heads, groups, chunks, slots, chunk, lead};
  int per_chunk = gridDim.x / chunks, m = blockIdx.x / per_chunk, head = blockIdx.y;
  int group = head / (heads / groups), lane = threadIdx.x % 32, own = threadIdx.x / 32 * 16;
  long sequence = blockIdx.z, first = s.begin(m) + blockIdx.x % per_chunk * (long)ROWS;
  int rows = (int)min((long)ROWS, s.end(m) - first);
  if (rows <= 0) return;

  // Documents only ever begin later: what the tile's first query does not see, none does.
  const int* documents = PACKED ? begin + sequence * tokens + first : nullptr;
  int own_document[2] = {};
  EACH for (int half = 0; half < 2; half++)
    if (PACKED) own_document[half] = documents[min(rows - 1, own + lane / 4 + 8 * half)];

  auto stream = [&](const bf16* k, const bf16* v, int count, int behind, int span) {
    int age = (int)(count - tokens + first) - behind;
    long at = (sequence * count * groups + group) * D;
    int from = max(0, age - span + 1);
    if (PACKED) from = max(from, (int)(count - tokens) + documents[0]);
    return Keys{k + at, v + at, (long)groups * D, from, max(0, age + rows), age, span};
  };
  Keys near = stream(window_k, window_v, window_rows, 0, window);
  Keys faded = stream(fading_k, fading_v, fading_rows, window, fading);
  long set = slots > 0 ? s.slot(sequence, m, 0, group) : 0;
  Keys remembered{far_k + set, far_v + set, (long)groups * D, 0, slots, EVERY / 2, EVERY};
  int chunk_start = m * chunk - lead;
  if (PACKED && documents[0] > chunk_start) remembered.to = 0;
  int before_faded = near.tiles(), before_remembered = before_faded;
  if (fading > 0) before_remembered += faded.tiles();
  int count = before_remembered + remembered.tiles();

  auto keys_of = [&](int tile) {
    Keys keys = tile < before_faded ? near : tile < before_remembered ? faded : remembered;
    int skipped = tile < before_faded        ? tile
                  : tile < before_remembered ? tile - before_faded
                                             : tile - before_remembered;
    keys.from += skipped * KEYS;
    return keys;
  };
  auto fetch_keys = [&](int tile) {
    Keys keys = keys_of(tile);
    bf16* stage = stages + tile % 2 * 2 * KEY_TILE;
    long at = keys.from * keys.stride;
    fetch<KEYS, D, WIDE>(stage, keys.k + at, keys.stride, keys.to - keys.from);
    fetch<KEYS, D, WIDE>(stage + KEY_TILE, keys.v + at, keys.stride, keys.to - keys.from);
    if (tile < before_remembered) return;
    for (int i = threadIdx.x; i < KEYS; i += THREADS) {
      int e = keys.from + i;
      biases[tile % 2 * KEYS + i] =
          e < slots ? bias[s.bias(sequence, m, head) + e] / scale : nothing();
    }
  };

  fetch<ROWS, D, WIDE>(near_rows, q + s.query(sequence, first, head), (long)heads * D, rows);
  if (slots > 0)
    fetch<ROWS, D, WIDE>(far_rows, far_q + s.query(sequence, first, head), (long)heads * D, rows);
  fetch_keys(0);
  Queries queries;
  for (int tile = 0; tile < count; tile++) {
    copies_done();
    __syncthreads();
    if (tile + 1 < count) fetch_keys(tile + 1);
    if (tile == 0) queries.load(near_rows + own * PITCH);
    if (tile == before_remembered) queries.load(far_rows + own * PITCH);
    Keys keys = keys_of(tile);
    const bf16* stage = stages + tile % 2 * 2 * KEY_TILE;
    int age = keys.age + own - keys.from;  // of this warp's first query
    if (age + 15 < 0 || age - KEYS + 1 >= keys.span) continue;
    const float* bias_of = tile < before_remembered ? nullptr : biases + tile % 2 * KEYS;
    int least[2] = {};
    EACH for (int half = 0; half < 2; half++) {
      if (!PACKED) continue;
      int stream_rows = tile < before_faded ? window_rows : fading_rows;
      least[half] = tile < before_remembered
                        ? own_document[half] + (int)(stream_rows - tokens) - keys.from
                    : own_document[half] > chunk_start ? KEYS
                                                       : 0;
    }
    queries.see(stage, stage + KEY_TILE, bias_of, age, keys.span, least, scale * LOG2E);
  }

  float shares[2];
  EACH for (int half = 0; half < 2; half++) {
    int row = own + lane / 4 + 8 * half;
    float sum = quad_sum(queries.softmax[half].sum);
    shares[half] = 1.f / sum;
    if (row < rows && lane % 4 == 0)
      log_sum_exp[(sequence * tokens + first + row) * heads + head] =
          queries.softmax[half].most * scale + logf(sum);
  }
  each_row(queries.o, [&](int half, int column, float (&x)[8]) {
    int row = own + lane / 4 + 8 * half;
    if (row >= rows || column >= D) return;
    EACH for (int j = 0; j < 8; j++) x[j] *= shares[half];
    write<8>(out + s.query(sequence, first + row, head) + column, x);
  });
}
