// The best of scored candidates, by a block of 256 threads and without a sort: the E-th highest score
// is found by its bits, eight at a time from the top, counting in shared memory. Included after
// common.cuh.

constexpr int THREADS = 256;  // one per value of eight bits

// Order of scores as order of unsigned integers; 0 only for hidden ones.
__device__ __forceinline__ unsigned rank(float score) {
  unsigned bits = __float_as_uint(score == 0.f ? 0.f : score);  // −0 equals 0
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// The sum of value over the threads up to and including this one; total: over all.
__device__ __forceinline__ int up_to_here(int value, int& total) {
  __shared__ int warps[THREADS / 32];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  EACH for (int distance = 1; distance < 32; distance *= 2) {
    int other = __shfl_up_sync(ALL, value, distance);
    if (lane >= distance) value += other;
  }
  if (lane == 31) warps[warp] = value;
  __syncthreads();
  total = 0;
  EACH for (int i = 0; i < THREADS / 32; i++) {
    if (i < warp) value += warps[i];
    total += warps[i];
  }
  __syncthreads();
  return value;
}

// Where to draw the line: all above threshold are chosen, and of the equal ones those from number
// `equal - wanted` on, so that the latest win.
struct Line {
  unsigned threshold;
  int wanted, equal;

  __device__ bool chooses(unsigned key, int index) const {  // index among equals, from 1
    return key > threshold || (key == threshold && index > equal - wanted);
  }
};

// candidates: count(), and a rank for each, 0 for those that cannot be chosen.
template <typename Candidates>
__device__ Line draw_line(const Candidates& candidates, int capacity) {
  // threshold: the E-th highest rank, 1 where there are fewer; wanted: how many of those equal to it
  // are taken, counted from the latest.
  __shared__ int counts[256], chosen_digit, chosen_above;
  unsigned threshold = 0, mask = 0;
  int wanted = capacity, equal = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    counts[threadIdx.x] = 0;
    __syncthreads();
    for (long row = threadIdx.x; row < candidates.count(); row += THREADS) {
      unsigned key = candidates[row];
      if (key && (key & mask) == threshold) atomicAdd(&counts[key >> shift & 255], 1);
    }
    __syncthreads();
    int digit = 255 - threadIdx.x, total;  // from the highest down
    int reached = up_to_here(counts[digit], total), above = reached - counts[digit];
    if ((above < wanted && wanted <= reached) || (digit == 0 && total < wanted)) {
      chosen_digit = digit;
      chosen_above = above;
    }
    __syncthreads();
    wanted -= chosen_above;
    equal = counts[chosen_digit];
    threshold |= (unsigned)chosen_digit << shift;
    mask |= 255u << shift;
    __syncthreads();
  }
  if (threshold == 0) threshold = 1;
  return Line{threshold, wanted, equal};
}
