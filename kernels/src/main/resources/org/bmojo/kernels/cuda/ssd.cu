// Mamba-2's recurrence (head_scan.cuh), which is its own gradient: with other tensors for queries,
// keys and values, and time reversed, the same kernel gives y, dq, dk and dv.
//
//          queries  keys  values   time      dotted with
//   y      q        k     v        forward
//   dq     dy       v     k        forward   q
//   dk     v        dy    q        reversed  k
//   dv     k        q     dy       reversed
//
// and the gradient of a decay is the sum over what is later of q·dq − k·dk. No score, mask or state of
// a chunk touches memory. Constants besides those of head_scan.cuh: OUTPUT 0 where only the state is
// wanted, DOTS 1 where the output is dotted (and must be precise), SELF 0 where a token then tells
// itself nothing, FINE_QUERIES, FINE_KEYS and FINE_OUT 1 where these are float32 whatever ELEMENT is,
// STAGES of tiles, RESIDENT blocks that shall fit on a multiprocessor.
//
// Floor, (8, 2048, 24 heads, N 128, P 64), bfloat16: forward reads q, k, v and writes y, 302 MB, 0.10
// ms at 3 TB/s; 29 GFLOP with the state's two planes, 0.10 ms at 300 TFLOP/s. Backward's three walks
// move 1.1 GB and compute 113 GFLOP: 0.37 and 0.38 ms.
#include "common.cuh"
#include "head_scan.cuh"

template <bool FINER>
struct Operand {
  using Type = T;
};
template <>
struct Operand<true> {
  using Type = float;
};
using Query = Operand<FINE_QUERIES>::Type;
using Key = Operand<FINE_KEYS>::Type;
using Out = Operand<FINE_OUT>::Type;

constexpr int READ = PLANES == 3 ? 3 : DOTS ? 2 : 1;  // planes of weights and of the state that is read
constexpr int QUERY = FINE_QUERIES ? FINE : PLANES, OF_KEYS = FINE_KEYS ? FINE : PLANES;
constexpr int STAGE = (QUERY + OF_KEYS) * KEYS + PLANES * VALUES;
// Grid: shares of the values' columns, segments, heads of sequences. Queries and keys (B, T, H, key)
// and what they are multiplied by (B, T, H), null for one; only fine ones have it. Values, along,
// more, which is added to the output (null: nothing), and out (B, T, H, value), dots (shares, B, H, T).
// What is only read may have any distance from token to token and from head to head, 0 for heads that
// share: then all but one of them find it in the cache.
// States (segments, B, H, …) lie with `across` elements from row to row and `down` from column to
// column: those that segments begin with (null: nothing) and end with (null: not wanted), and those
// that the ends are dotted with (null: zero) to give anchors (shares, segments, B, H). wholes
// (segments, B, H): what is left of a state after the segment, only where there is no output.
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) ssd_walk(
    const Query* __restrict__ queries, const float* __restrict__ query_rates,
    const Key* __restrict__ keys, const float* __restrict__ key_rates,
    const T* __restrict__ values, const T* __restrict__ along, const float* more_out,
    const float* __restrict__ g, const int* __restrict__ begin, const float* __restrict__ starts,
    Out* out, float* __restrict__ dots, float* __restrict__ ends,
    const float* __restrict__ against, float* __restrict__ anchors, float* __restrict__ wholes,
    int query_apart, int query_head, int key_apart, int key_head, int value_apart, int value_head,
    int along_apart, int along_head, int across, int down, long tokens, int heads, int key,
    int value, int span) {
  extern __shared__ __align__(16) char memory[];
  bf16 *stages = (bf16*)memory, *shared_state = stages + STAGES * STAGE;
  __shared__ Decays decays[2];
  const Walk walk(tokens, heads, key, value, span);
  int warp = threadIdx.x / 32, own = warp * 16;

  float state[OWN][TILES][4];
  each_of_state(state, [&](float& s, int row, int column) {
    bool real = row < key && column < walk.columns;
    long at = walk.state() + (long)row * across + (long)(walk.column + column) * down;
    s = real && starts ? starts[at] : 0.f;
  });
  if (OUTPUT) share<READ>(shared_state, state);

  auto fetch_chunk = [&](int step) {
    long first = walk.first(step), line = walk.line(first);
    int rows = (int)min((long)CHUNK, tokens - first);
    bf16* to = stages + step % STAGES * STAGE;
    auto of = [&](const float* rates) { return rates ? rates + line : rates; };
    if (OUTPUT)
      stage<QUERY, KEYS_TO>(to, queries + walk.row(first, query_apart, query_head), query_apart, rows,
                            key, of(query_rates), heads);
    to += QUERY * KEYS;
    stage<OF_KEYS, KEYS_TO>(to, keys + walk.row(first, key_apart, key_head), key_apart, rows, key,
                            of(key_rates), heads);
    stage<PLANES, COLUMNS>(to + OF_KEYS * KEYS,
                           values + walk.row(first, value_apart, value_head) + walk.column,
                           value_apart, rows, walk.columns, nullptr, heads);
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
    const bf16 *chunk_keys = tile + QUERY * KEYS, *chunk_values = chunk_keys + OF_KEYS * KEYS;

    if (OUTPUT) {
      Block<QUERY> query[BLOCKS];
      EACH for (int k = 0; k < BLOCKS; k++)
        left_planes<QUERY, KEY_PITCH>(query[k], tile + own * KEY_PITCH + 16 * k, KEYS);
      float read_out[TILES][4] = {}, same[2][4];
      recall<READ>(read_out, query, shared_state);
      scale(read_out, REVERSED ? left_over.to_end : left_over.from_start);
      attend<DOTS, READ, OF_KEYS, PLANES>(
          read_out, same, query, chunk_keys, chunk_values, left_over);
      if (DOTS) {
        // What a token tells itself has no decay in it, and would cancel but for rounding.
        dot_rows(dots, walk, read_out, along, along_apart, along_head, walk.first(step));
        if (SELF) add<READ, PLANES>(read_out, same[0], same[1], chunk_values + own * PITCH);
      }
      store(out, walk, read_out, more_out, walk.first(step));
    }
    forget(state, left_over);
    advance<OF_KEYS, PLANES>(state, chunk_keys, chunk_values, left_over);
    __syncthreads();  // the stage and the shared state have been used
    if (STAGES == 1 && more) fetch_chunk(step + 1);
    if (OUTPUT && more) share<READ>(shared_state, state);
  }

  float match = 0.f;
  each_of_state(state, [&](float& s, int row, int column) {
    if (row >= key || column >= walk.columns) return;
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
