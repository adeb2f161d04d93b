// The E best-scored candidates at every chunk boundary. A block per chunk and sequence: it finds
// the E-th highest score, then keeps what lies above it, and of what equals it the latest, in order
// of position.
//
// Candidates are the kept tokens, then the tail and the new tokens: already ascending by position,
// but for those that were counted before (hidden). begin (B, T) or null.
#include "common.cuh"
#include "best_tokens.cuh"

struct Candidates {
  const float *kept, *scores;
  const long* positions;
  long capacity, visible;  // kept tokens; recent ones that are eligible now
  long seen;               // the first recent ones were candidates at the last refresh
  long first, oldest;      // position of the first recent one; what is older is hidden

  __device__ long position(long row) const {
    return row < capacity ? positions[row] : first + row - capacity;
  }

  __device__ unsigned operator[](long row) const {
    float score = row < capacity ? kept[row] : scores[row - capacity];
    bool hidden = row < capacity ? positions[row] < 0 : row - capacity < seen;
    hidden |= position(row) < oldest;
    return hidden || score == -__int_as_float(0x7f800000) ? 0u : rank(score);
  }
  __device__ long count() const { return capacity + visible; }
};

extern "C" __global__ void __launch_bounds__(THREADS) eidetic_select(
    const float* __restrict__ scores, const long* __restrict__ kept_positions,
    const float* __restrict__ kept_scores, const int* __restrict__ begin,
    long* __restrict__ positions, long* __restrict__ rows, long recent, long tail, long start, int capacity, int window, int chunk) {
  long sequence = blockIdx.y, first_chunk = start / chunk;
  long boundary = (first_chunk + blockIdx.x) * chunk;
  // Inside a chunk nothing new is eligible: its refresh was before this call.
  long eligible = boundary < start ? 0 : boundary - window + 1 - (start - tail);
  long refreshed = start == 0 ? -1 : (start - 1) / chunk * chunk - window;
  // Of several documents in a row, a set is of the one that its chunk begins in. Inside a chunk it
  // is what it was.
  long oldest = -1;
  if (begin && boundary >= start)
    oldest = start + begin[sequence * (recent - tail) + boundary - start];
  Candidates candidates{
      kept_scores + sequence * capacity, scores + sequence * recent,
      kept_positions + sequence * capacity, capacity, max(0L, min(eligible, recent)),
      refreshed + 1 - (start - tail), start - tail, oldest};

  Line line = draw_line(candidates, capacity);
  int filled = 0, seen_equal = 0;
  long* to_positions = positions + (sequence * gridDim.x + blockIdx.x) * capacity;
  long* to_rows = rows + (sequence * gridDim.x + blockIdx.x) * capacity;
  for (long base = 0; base < candidates.count(); base += THREADS) {
    long row = base + threadIdx.x;
    unsigned key = row < candidates.count() ? candidates[row] : 0u;
    int total;
    int index = seen_equal + up_to_here(key == line.threshold, total);  // from 1
    seen_equal += total;
    bool chosen = line.chooses(key, index);
    int place = filled + up_to_here(chosen, total) - 1;
    filled += total;
    if (chosen) {
      to_positions[place] = candidates.position(row);
      to_rows[place] = row;
    }
  }
  for (int i = filled + threadIdx.x; i < capacity; i += THREADS) {
    to_positions[i] = -1;
    to_rows[i] = 0;
  }
}
