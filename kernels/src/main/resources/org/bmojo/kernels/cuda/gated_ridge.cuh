// Chunks of Gated KalmaNet's solver, each a block's work once the matrix M before it is known. Of a
// chunk with keys K, the decays L between its tokens (1 on the diagonal) and what is left, f, of the
// matrix before it,
//
//   M_i x = f_i M x + Σ_{j ≤ i} L_ij (k_j · x) k_j
//
// so a token's own matrix is never formed. Included after common.cuh. Constants: those of
// head_scan.cuh, of which this wants only ELEMENT, KEYS_TO and ALIGNED; RESIDENT.
#define COLUMNS KEYS_TO
#define REVERSED 0
#include "head_scan.cuh"

// Where a block works: one chunk of one head of a sequence. Grid: chunks, heads of sequences.
struct Place {
  long tokens, sequence, first;
  int heads, head, dim, rows, own;

  __device__ Place(long tokens, int heads, int dim) : tokens(tokens), heads(heads), dim(dim) {
    sequence = blockIdx.y / heads;
    head = blockIdx.y % heads;
    first = blockIdx.x * (long)CHUNK;
    rows = (int)min((long)CHUNK, tokens - first);
    // The 16 tokens of a warp. Later ones have more keys to read, and the same warp of all blocks
    // shares one tensor core: every other chunk is dealt out from its end.
    int warp = threadIdx.x / 32;
    own = 16 * (blockIdx.x % 2 ? WARPS - 1 - warp : warp);
  }

  // Where a token of the chunk begins in a tensor (B, T, H, dim); among (B, T, H); among (B, H, T).
  __device__ long row(int token) const { return line(token) * dim; }
  __device__ long line(int token) const {
    return (sequence * tokens + first + token) * heads + head;
  }
  __device__ long by_head(int token) const { return blockIdx.y * tokens + first + token; }
  // Of a matrix among (chunks, B, H, dim, dim).
  __device__ long matrix() const {
    return ((long)blockIdx.x * gridDim.y + blockIdx.y) * dim * dim;
  }
  // The lane's rows are this token and the one 8 later.
  __device__ int token() const { return own + threadIdx.x % 32 / 4; }

  template <int P, typename S>
  __device__ void fetch(bf16* tile, const S* from) const {
    stage<P, KEYS_TO>(tile, from + row(0), (long)heads * dim, rows, dim, nullptr, heads);
  }

  // By the first warp.
  __device__ void decays(Decays& to, const float* g, const int* begin) const {
    double rates[2];
    EACH for (int i = 0; i < 2; i++)
      rates[i] =
          log_decay(g, begin, sequence, first + 2 * threadIdx.x + i, tokens, heads, head);
    decay(to, rates[0], rates[1]);
  }

  // Two neighbours of a token's row of (B, T, H, dim); zeros beyond it.
  template <typename S>
  __device__ Words<S, 2> pair(const S* of, int token, int column) const {
    Words<S, 2> two;
    two.clear();
    if (token >= rows || column >= dim) return two;
    const S* at = of + row(token) + column;
    if (ALIGNED) {
      two.load(at);
    } else {
      float a = wide(at[0]), b = column + 1 < dim ? wide(at[1]) : 0.f;
      if (sizeof(S) == 2) {
        two.word[0] = packed(a, b);
      } else {
        two.word[0] = __float_as_uint(a);
        two.word[sizeof(S) / 4] = __float_as_uint(b);
      }
    }
    return two;
  }

  // The warp's 16 rows to (B, T, H, dim).
  template <typename S>
  __device__ void store(S* to, const float (&x)[TILES][4]) const {
    each_row(x, [&](int half, int column, float (&eight)[8]) {
      int at = token() + 8 * half;
      if (at >= rows || column >= dim) return;
      S* row_of = to + row(at) + column;
      if (ALIGNED) write<8>(row_of, eight);
      else EACH for (int j = 0; j < 8; j++)
        if (column + j < dim) row_of[j] = narrow<S>(eight[j]);
    });
  }
};

// A dim × dim matrix to FINE planes, zeros around. Returns the thread's share of Σ matrix ⊙ other.
__device__ __forceinline__ float stage_matrix(
    bf16* to, const float* from, const float* other, int dim) {
  constexpr int PIECES = KEYS_TO / 8;
  float sum = 0.f;
  EACH_OF(2) for (int i = threadIdx.x; i < KEYS_TO * PIECES; i += THREADS) {
    int row = i / PIECES, column = i % PIECES * 8;
    float x[8] = {}, y[8] = {};
    if (row < dim && column < dim) {
      long at = (long)row * dim + column;
      if (ALIGNED) {
        read<8>(from + at, x);
        read<8>(other + at, y);
      } else {
        EACH for (int j = 0; j < 8; j++) {
          x[j] = column + j < dim ? from[at + j] : 0.f;
          y[j] = column + j < dim ? other[at + j] : 0.f;
        }
      }
    }
    EACH for (int j = 0; j < 8; j++) sum += x[j] * y[j];
    EACH for (int j = 0; j < 8; j += 2) {
      unsigned both[FINE];
      split<FINE>(both, x[j], x[j + 1]);
      EACH for (int p = 0; p < FINE; p++)
        *(unsigned*)(to + p * STATE + row * PITCH + column + j) = both[p];
    }
  }
  return sum;
}

// Shares of all threads → their sum, in all threads.
__device__ __forceinline__ float block_sum(float share) {
  __shared__ float warps[WARPS];
  share = warp_sum(share);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = share;
  __syncthreads();
  share = warps[0];
  for (int w = 1; w < WARPS; w++) share += warps[w];
  return share;
}

// Two neighbours of a row of a tile of P planes.
template <int P>
__device__ __forceinline__ float2 pair(const bf16* tile, int row, int column) {
  float2 two = {0.f, 0.f};
  EACH for (int p = P - 1; p >= 0; p--) {
    unsigned both = *(const unsigned*)(tile + p * KEYS + row * KEY_PITCH + column);
    two.x += low(both);
    two.y += high(both);
  }
  return two;
}

// Runs f(tile, y) over the columns of y = x · matrix, 8 each; of its transpose's where TRANSPOSED.
// Products of planes from READ on are left out. Four tiles at a time keep the tensor cores busy.
template <bool TRANSPOSED, int READ, int P, typename F>
__device__ __forceinline__ void each_product(const Block<P> (&x)[BLOCKS], const bf16* matrix, F f) {
  EACH for (int n = 0; n < TILES; n += 4) {
    float y[4][4] = {};
    EACH for (int k = 0; k < BLOCKS; k++) {
      Block<READ> b[2];
      EACH for (int half = 0; half < 2; half++) {
        int column = 8 * n + 16 * half;
        if (TRANSPOSED)
          right_of_rows_planes<READ, PITCH>(b[half], matrix + column * PITCH + 16 * k, STATE);
        else right_planes<READ, PITCH>(b[half], matrix + 16 * k * PITCH + column, STATE);
      }
      EACH for (int i = P - 1; i >= 0; i--)
        EACH for (int j = READ - 1; j >= 0; j--)
          if (i + j < READ) {
            multiply(y[0], y[1], x[k][i], b[0][j]);
            multiply(y[2], y[3], x[k][i], b[1][j]);
          }
    }
    EACH for (int i = 0; i < 4; i++) f(n + i, y[i]);
  }
}

// p = x · (16 tokens of a tile of Q planes)ᵀ, without products of planes from READ on.
template <int READ, int Q, int P>
__device__ __forceinline__ void scores(
    float (&p)[2][4], const Block<P> (&x)[BLOCKS], const bf16* tokens) {
  float sums[2][2][4] = {};  // two, so that fewer products wait for one another
  EACH for (int k = 0; k < BLOCKS; k++) {
    Block<Q> b;
    right_of_rows_planes<Q, KEY_PITCH>(b, tokens + 16 * k, KEYS);
    EACH for (int i = P - 1; i >= 0; i--)
      EACH for (int j = Q - 1; j >= 0; j--)
        if (i + j < READ) multiply(sums[k % 2][0], sums[k % 2][1], x[k][i], b[j]);
  }
  EACH for (int n = 0; n < 2; n++)
    EACH for (int c = 0; c < 4; c++) p[n][c] = sums[0][n][c] + sums[1][n][c];
}
