// Small matrix products on tensor cores (mma.sync), operands in shared memory. Included after
// common.cuh.
//
// A block works on ROWS rows, a warp on 16 of them. Rows in shared memory are PITCH
// elements apart, 16 bytes more than a multiple of 64: eight rows at one column then lie in
// different banks.

constexpr int THREADS = 32 * WARPS, ROWS = 16 * WARPS;

// Four 8 × 8 matrices of shared memory: lane l names row l % 8 of matrix l / 8. A lane gets two
// neighbours of row lane / 4 of each, or of column lane / 4 where TRANSPOSED.
template <bool TRANSPOSED>
__device__ __forceinline__ void load4(unsigned (&to)[4], const bf16* row) {
  unsigned from = (unsigned)__cvta_generic_to_shared(row);
  if (TRANSPOSED) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(from));
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(from));
  }
}

// Where in a 16 × 16 block a lane's row begins: the second matrix below the first, or beside it.
template <int Pitch>
__device__ __forceinline__ int down() {
  int lane = threadIdx.x % 32;
  return lane % 16 * Pitch + lane / 16 * 8;
}
template <int Pitch>
__device__ __forceinline__ int across() {
  int lane = threadIdx.x % 32;
  return (lane / 16 * 8 + lane % 8) * Pitch + lane / 8 % 2 * 8;
}

// Left operand, 16 rows by 16, from a block that holds it as it is, or transposed.
template <int Pitch>
__device__ __forceinline__ void left(unsigned (&a)[4], const bf16* block) {
  load4<false>(a, block + down<Pitch>());
}
template <int Pitch>
__device__ __forceinline__ void left_of_transposed(unsigned (&a)[4], const bf16* block) {
  load4<true>(a, block + across<Pitch>());
}

// Right operands, 16 by two times 8 columns, from a block that holds the columns as rows, or as
// columns.
template <int Pitch>
__device__ __forceinline__ void right_of_rows(unsigned (&b)[4], const bf16* block) {
  load4<false>(b, block + across<Pitch>());
}
template <int Pitch>
__device__ __forceinline__ void right(unsigned (&b)[4], const bf16* block) {
  load4<true>(b, block + down<Pitch>());
}

// d += a · b: 16 × 16 by 16 × 8. A lane holds columns 2(lane % 4) and the next of rows lane / 4
// and 8 further down.
__device__ __forceinline__ void multiply(
    float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// The same by 16 × 16.
__device__ __forceinline__ void multiply(
    float (&d)[4], float (&next)[4], const unsigned (&a)[4], const unsigned (&b)[4]) {
  multiply(d, a, b[0], b[1]);
  multiply(next, a, b[2], b[3]);
}

// Two 16 × 8 results side by side as a left operand.
__device__ __forceinline__ void as_left(
    unsigned (&a)[4], const float (&d)[4], const float (&next)[4]) {
  a[0] = packed(d[0], d[1]);
  a[1] = packed(d[2], d[3]);
  a[2] = packed(next[0], next[1]);
  a[3] = packed(next[2], next[3]);
}

// x[j] of lane i of four neighbours → x[i] of lane j.
__device__ __forceinline__ void transpose_quad(float (&x)[4]) {
  bool odd = threadIdx.x & 1, high = threadIdx.x & 2;
  EACH for (int j = 0; j < 4; j += 2) {
    float got = __shfl_xor_sync(ALL, odd ? x[j] : x[j + 1], 1);
    if (odd) x[j] = got;
    else x[j + 1] = got;
  }
  EACH for (int j = 0; j < 2; j++) {
    float got = __shfl_xor_sync(ALL, high ? x[j] : x[j + 2], 2);
    if (high) x[j] = got;
    else x[j + 2] = got;
  }
}

// Runs f(half, column, eight neighbours) over a 16 × 8N result, whose row is lane / 4 + 8 · half:
// lanes exchange until each has 16 bytes of bfloat16 to write.
template <int N, typename F>
__device__ __forceinline__ void each_row(const float (&d)[N][4], F f) {
  EACH for (int tile = 0; tile < N; tile += 4) {
    EACH for (int half = 0; half < 2; half++) {
      float even[4], odd[4], x[8];
      EACH for (int j = 0; j < 4; j++) {
        even[j] = d[tile + j][2 * half];
        odd[j] = d[tile + j][2 * half + 1];
      }
      transpose_quad(even);
      transpose_quad(odd);
      EACH for (int j = 0; j < 4; j++) {
        x[2 * j] = even[j];
        x[2 * j + 1] = odd[j];
      }
      f(half, (tile + threadIdx.x % 4) * 8, x);
    }
  }
}

// The sum, or the largest, over the four lanes that hold one row.
__device__ __forceinline__ float quad_sum(float x) {
  x += __shfl_xor_sync(ALL, x, 1);
  return x + __shfl_xor_sync(ALL, x, 2);
}
__device__ __forceinline__ float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(ALL, x, 1));
  return fmaxf(x, __shfl_xor_sync(ALL, x, 2));
}

// 16 bytes on their way to shared memory, zeros where there is nothing to copy.
__device__ __forceinline__ void copy16(bf16* to, const bf16* from, bool there) {
  unsigned shared = (unsigned)__cvta_generic_to_shared(to);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(from),
               "r"(there ? 16 : 0));
}

__device__ __forceinline__ void copies_done() { asm volatile("cp.async.wait_all;" ::: "memory"); }

// `rows` rows of D elements, `stride` apart, into a tile of Rows by Wide; zeros around.
template <int Rows, int D, int Wide>
__device__ __forceinline__ void fetch(bf16* tile, const bf16* from, long stride, int rows) {
  constexpr int PIECES = Wide / 8;
  EACH_OF(4) for (int i = threadIdx.x; i < Rows * PIECES; i += THREADS) {
    int row = i / PIECES, column = i % PIECES * 8;
    bool there = row < rows && column < D;
    copy16(tile + row * (Wide + 8) + column, there ? from + row * stride + column : from, there);
  }
}
