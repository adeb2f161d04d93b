// Gradients of attention to streams of keys, of which a query sees a band: those from some age on,
// up to another. Exact under one softmax with other keys, given the joint output and log-sum-exp.
//
// One kernel owns queries, the other keys; each recomputes the logits, so that every sum has one
// owner and one order. Tiles of 64 rows come to shared memory while the ones before are used.
#include "common.cuh"
#include "attention.cuh"

constexpr int NEXT = 64, NEXT_TILE = NEXT * PITCH;

// Rows of one sequence and head. Query i is age + i − r tokens younger than row r, and sees it
// where that is at least 0 and less than span.
struct Band {
  int count, age, span;

  __device__ Band(int count, long tokens, int behind, int span)
      : count(count), age((int)(count - tokens) - behind), span(span) {}

  // The rows that queries from … to see, and the queries that see rows.
  __device__ int first_row(int query) const { return max(0, age + query - span + 1); }
  __device__ int end_row(int query_end) const { return max(0, age + query_end); }
  __device__ int first_query(int row) const { return max(0, row - age); }
  __device__ int end_query(int row_end, long tokens) const {
    return (int)max(0L, min(tokens, row_end - 1L - age + span));
  }
  __device__ bool shows(int query, int row) const {
    return (unsigned)(age + query - row) < (unsigned)span;
  }
  // Of 16 queries and 16 rows: whether any is shown to any, and all to all.
  __device__ bool any(int query, int row) const {
    return age + query + 15 - row >= 0 && age + query - row - 15 < span;
  }
  __device__ bool all(int query, int row) const {
    return shows(query, row + 15) && shows(query + 15, row);
  }
};

// The first query that does not see `token`, which may be in the past: T if all do that are not older.
__device__ __forceinline__ int document_end(const int* begin, int token, long tokens) {
  int low = max(token, 0), high = (int)tokens;
  while (low < high) {
    int middle = (low + high) / 2;
    if (begin[middle] > token) high = middle;
    else low = middle + 1;
  }
  return low;
}

// fetch for dOut, with Σ dOut · out of every row on the way.
__device__ __forceinline__ void fetch_slopes(
    bf16* tile, float* along, const bf16* d_out, const bf16* out, long stride, int rows) {
  constexpr int LANES = WIDE <= 32 ? 4 : WIDE <= 64 ? 8 : 16;
  int column = threadIdx.x % LANES * 8;
  EACH_OF(4) for (int row = threadIdx.x / LANES; row < ROWS; row += THREADS / LANES) {
    float d[8] = {}, o[8] = {}, sum = 0.f;
    if (row < rows && column < D) {
      read<8>(d_out + row * stride + column, d);
      read<8>(out + row * stride + column, o);
    }
    EACH for (int j = 0; j < 8; j++) sum += d[j] * o[j];
    EACH for (int other = LANES / 2; other > 0; other /= 2)
      sum += __shfl_xor_sync(ALL, sum, other);
    if (column < WIDE) write<8>(tile + row * PITCH + column, d);
    if (column == 0) along[row] = sum;
  }
}


// Grid: tiles of queries, heads, sequences. dq over both streams; out_slopes (B, T, H) gets
// Σ dOut · out.
extern "C" __global__ void __launch_bounds__(THREADS, WIDE <= 64 ? 2 : 1) attention_backward_queries(
    const bf16* __restrict__ q, const bf16* __restrict__ window_k,
    const bf16* __restrict__ window_v, int window_rows, int window,
    const bf16* __restrict__ fading_k, const bf16* __restrict__ fading_v, int fading_rows,
    int fading, const bf16* __restrict__ out, const bf16* __restrict__ d_out,
    const float* __restrict__ log_sum_exp, const int* __restrict__ begin, bf16* __restrict__ dq,
    float* __restrict__ out_slopes, long tokens, int heads, int groups, float scale) {
  extern __shared__ __align__(16) char memory[];
  bf16 *queries = (bf16*)memory, *slopes = queries + TILE, *stages = slopes + TILE;
  float* along = (float*)(stages + 4 * NEXT_TILE);
  int head = blockIdx.y, group = head / (heads / groups), first = blockIdx.x * ROWS;
  int rows = (int)min((long)ROWS, tokens - first), lane = threadIdx.x % 32;
  int own = threadIdx.x / 32 * 16;
  long sequence = blockIdx.z, stride = (long)heads * D, key_stride = (long)groups * D;
  long at = ((sequence * tokens + first) * heads + head) * D;
  const Band near(window_rows, tokens, 0, window), faded(fading_rows, tokens, window, fading);
  int near_from = near.first_row(first), near_end = near.end_row(first + rows);
  int faded_from = faded.first_row(first), faded_end = faded.end_row(first + rows);
  // Tokens with which the documents of this lane's queries begin, and that of the warp's last one.
  int document[2] = {}, last_document = 0;
  if (PACKED) {
    const int* documents = begin + sequence * tokens + first;
    near_from = max(near_from, documents[0] + (int)(window_rows - tokens));
    faded_from = max(faded_from, documents[0] + (int)(fading_rows - tokens));
    last_document = documents[min(rows - 1, own + 15)];
    EACH for (int half = 0; half < 2; half++)
      document[half] = documents[min(rows - 1, own + lane / 4 + 8 * half)];
  }
  int near_tiles = (near_end - near_from + NEXT - 1) / NEXT;
  int tiles = near_tiles;
  if (fading > 0 && faded_end > faded_from) tiles += (faded_end - faded_from + NEXT - 1) / NEXT;

  auto fetch_keys = [&](int tile) {
    bool is_near = tile < near_tiles;
    int from = is_near ? near_from + tile * NEXT : faded_from + (tile - near_tiles) * NEXT;
    int left_rows = (is_near ? near_end : faded_end) - from;
    long row = sequence * (is_near ? window_rows : fading_rows) + from;
    long start = (row * groups + group) * D;
    bf16* stage = stages + tile % 2 * 2 * NEXT_TILE;
    fetch<NEXT, D, WIDE>(stage, (is_near ? window_k : fading_k) + start, key_stride, left_rows);
    fetch<NEXT, D, WIDE>(
        stage + NEXT_TILE, (is_near ? window_v : fading_v) + start, key_stride, left_rows);
  };

  fetch<ROWS, D, WIDE>(queries, q + at, stride, rows);
  if (tiles > 0) fetch_keys(0);
  fetch_slopes(slopes, along, d_out + at, out + at, stride, rows);
  copies_done();
  __syncthreads();
  unsigned query[BLOCKS][4], slope[BLOCKS][4];
  EACH for (int d = 0; d < BLOCKS; d++) {
    left<PITCH>(query[d], queries + own * PITCH + 16 * d);
    left<PITCH>(slope[d], slopes + own * PITCH + 16 * d);
  }
  float gq[TILES][4] = {}, sums[2], alongs[2];
  EACH for (int half = 0; half < 2; half++) {
    int row = own + lane / 4 + 8 * half;
    long line = (sequence * tokens + first + min(row, rows - 1)) * heads + head;
    sums[half] = LOG2E * log_sum_exp[line];
    alongs[half] = along[row];
    if (row < rows && lane % 4 == 0) out_slopes[line] = alongs[half];
  }

  for (int tile = 0; tile < tiles; tile++) {
    if (tile > 0) {
      copies_done();
      __syncthreads();
    }
    if (tile + 1 < tiles) fetch_keys(tile + 1);
    bool is_near = tile < near_tiles;
    int from = is_near ? near_from + tile * NEXT : faded_from + (tile - near_tiles) * NEXT;
    int end = is_near ? near_end : faded_end;
    const Band band = is_near ? near : faded;
    const bf16* stage = stages + tile % 2 * 2 * NEXT_TILE;
    for (int step = 0; step < NEXT && from + step < end; step += 16) {
      if (!band.any(first + own, from + step)) continue;
      const bf16 *keys = stage + step * PITCH, *values = keys + NEXT_TILE;
      float p[2][4] = {}, g[2][4] = {};
      EACH for (int d = 0; d < BLOCKS; d++) {
        unsigned b[4];
        right_of_rows<PITCH>(b, keys + 16 * d);
        multiply(p[0], p[1], query[d], b);
        right_of_rows<PITCH>(b, values + 16 * d);
        multiply(g[0], g[1], slope[d], b);
      }
      EACH for (int n = 0; n < 2; n++) {
        EACH for (int c = 0; c < 4; c++) {
          float weight = exp2_fast(p[n][c] * (scale * LOG2E) - sums[c / 2]);
          g[n][c] = weight * (g[n][c] - alongs[c / 2]);
        }
      }
      int past = band.count - (int)tokens;
      bool cut = PACKED && from + step < last_document + past;
      if (cut || !band.all(first + own, from + step)) {
        EACH for (int n = 0; n < 2; n++) {
          EACH for (int c = 0; c < 4; c++) {
            int i = first + own + lane / 4 + c / 2 * 8;
            int r = from + step + 8 * n + lane % 4 * 2 + c % 2;
            bool strange = PACKED && r < document[c / 2] + past;
            if (strange || !band.shows(i, r)) g[n][c] = 0.f;
          }
        }
      }
      unsigned d_logits[4];
      as_left(d_logits, g[0], g[1]);
      EACH for (int d = 0; d < BLOCKS; d++) {
        unsigned b[4];
        right<PITCH>(b, keys + 16 * d);
        multiply(gq[2 * d], gq[2 * d + 1], d_logits, b);
      }
    }
  }
  store_rows(dq + at, stride, own, rows, gq, scale);
}

// Grid: tiles of the window's rows and then of the fading stream's, key heads, sequences. A warp
// owns 16 keys; logits lie transposed, keys down and queries across.
extern "C" __global__ void __launch_bounds__(THREADS, WIDE <= 64 ? 2 : 1) attention_backward_keys(
    const bf16* __restrict__ q, const bf16* __restrict__ window_k,
    const bf16* __restrict__ window_v, int window_rows, int window,
    const bf16* __restrict__ fading_k, const bf16* __restrict__ fading_v, int fading_rows,
    int fading, const bf16* __restrict__ d_out, const float* __restrict__ log_sum_exp,
    const float* __restrict__ out_slopes, const int* __restrict__ begin,
    bf16* __restrict__ window_dk,
    bf16* __restrict__ window_dv, bf16* __restrict__ fading_dk, bf16* __restrict__ fading_dv,
    long tokens, int heads, int groups, float scale) {
  extern __shared__ __align__(16) char memory[];
  bf16 *keys = (bf16*)memory, *values = keys + TILE, *stages = values + TILE;
  float *sums = (float*)(stages + 4 * NEXT_TILE), *along = sums + 2 * NEXT;
  int near_tiles = (window_rows + ROWS - 1) / ROWS, shared = heads / groups;
  bool is_near = blockIdx.x < near_tiles;
  const Band band = is_near ? Band(window_rows, tokens, 0, window)
                            : Band(fading_rows, tokens, window, fading);
  int first = (is_near ? blockIdx.x : blockIdx.x - near_tiles) * ROWS;
  int count = min(ROWS, band.count - first), group = blockIdx.y, lane = threadIdx.x % 32;
  int own = threadIdx.x / 32 * 16, pair = lane % 4 * 2;
  long sequence = blockIdx.z, stride = (long)heads * D, key_stride = (long)groups * D;
  long at = ((sequence * band.count + first) * groups + group) * D;
  int from = band.first_query(first), end = band.end_query(first + count, tokens);
  // The first queries that do not see this lane's keys, and that of the warp's first one.
  int document[2] = {}, first_document = 0;
  if (PACKED) {
    const int* documents = begin + sequence * tokens;
    auto end_of = [&](int row) {
      return document_end(documents, min(row, count - 1) + first - (band.count - (int)tokens), tokens);
    };
    end = min(end, end_of(count - 1));
    first_document = end_of(own);
    EACH for (int half = 0; half < 2; half++) document[half] = end_of(own + lane / 4 + 8 * half);
  }
  int per_head = max(0, (end - from + NEXT - 1) / NEXT), tiles = per_head * shared;

  auto fetch_queries = [&](int tile) {
    int head = group * shared + tile / per_head, start = from + tile % per_head * NEXT;
    int stage = tile % 2;
    long line = (sequence * tokens + start) * heads + head;
    bf16* to = stages + stage * 2 * NEXT_TILE;
    fetch<NEXT, D, WIDE>(to, q + line * D, stride, end - start);
    fetch<NEXT, D, WIDE>(to + NEXT_TILE, d_out + line * D, stride, end - start);
    for (int i = threadIdx.x; i < NEXT; i += THREADS) {
      bool there = start + i < end;
      sums[stage * NEXT + i] = there ? LOG2E * log_sum_exp[line + i * (long)heads] : -nothing();
      along[stage * NEXT + i] = there ? out_slopes[line + i * (long)heads] : 0.f;
    }
  };

  fetch<ROWS, D, WIDE>(keys, (is_near ? window_k : fading_k) + at, key_stride, count);
  fetch<ROWS, D, WIDE>(values, (is_near ? window_v : fading_v) + at, key_stride, count);
  if (tiles > 0) fetch_queries(0);
  const float NONE[2] = {0.f, 0.f};
  float gk[TILES][4] = {}, gv[TILES][4] = {};
  for (int tile = 0; tile < tiles; tile++) {
    copies_done();
    __syncthreads();
    if (tile + 1 < tiles) fetch_queries(tile + 1);
    int start = from + tile % per_head * NEXT, stage = tile % 2;
    for (int step = 0; step < NEXT && start + step < end; step += 16) {
      if (!band.any(start + step, first + own)) continue;
      const bf16* queries = stages + stage * 2 * NEXT_TILE + step * PITCH;
      const bf16* slopes = queries + NEXT_TILE;
      float p[2][4] = {}, g[2][4] = {};
      meet(p, g, keys + own * PITCH, values + own * PITCH, queries, slopes);
      int line = stage * NEXT + step + pair;
      weigh(p, g, scale * LOG2E, NONE, sums + line, along + line);
      bool cut = PACKED && start + step + 15 >= first_document;
      if (cut || !band.all(start + step, first + own)) {
        EACH for (int n = 0; n < 2; n++) {
          EACH for (int c = 0; c < 4; c++) {
            int i = start + step + 8 * n + pair + c % 2, r = first + own + lane / 4 + c / 2 * 8;
            bool strange = PACKED && i >= document[c / 2];
            if (strange || !band.shows(i, r)) p[n][c] = g[n][c] = 0.f;
          }
        }
      }
      unsigned weights[4], d_logits[4];
      as_left(weights, p[0], p[1]);
      as_left(d_logits, g[0], g[1]);
      add_gradients(gk, gv, weights, d_logits, queries, slopes);
    }
  }
  store_rows((is_near ? window_dk : fading_dk) + at, key_stride, own, count, gk, scale);
  store_rows((is_near ? window_dv : fading_dv) + at, key_stride, own, count, gv, 1.f);
}
