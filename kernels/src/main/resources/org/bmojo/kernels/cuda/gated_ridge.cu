// Gated KalmaNet's solver: (M_i + λ_i I) z_i ≈ b_i for all tokens of a chunk at once, by all its
// Chebyshev iterations (Golub and Varga 1961) in one launch. With b = q that is forward; with b = dz
// it is the implicit gradient dq, and where GRADIENT it also tells what M's gradient wants of a token:
//
//   slope_i = ridge (dq_i · z_i) / ‖M_i‖      pull_i = −dq_i · M_i z_i − slope_i ‖M_i‖²
//
// Rows are independent: a warp iterates on its 16 tokens and waits for nobody. In its registers are the
// solution, as planes that products can read, the one before it, which products are added to, and b.
//
// With s = 2 / (‖M‖ (2 ridge + 1)) and weights w an iteration is
//
//   next = w z − w s ((M + λ) z − b) − (w − 1) before
//        = −w s ((w − 1) / (w s) before − ‖M‖/2 z − b + M z)
//
// An error made early is forgotten by the iterations after it, as is the start: the first `coarse` ones
// read one plane of their operands, a third of the products of M z and half of those with keys.
//
// Floor, (8, 2048, 24 heads, dim 64), bfloat16, 30 iterations: 6144 chunks with 96 products of 16 × 16 ×
// 16 a warp for M z (three of planes) and 80 on average for the keys: 0.54 TFLOP, 0.9 ms at the 600
// TFLOP/s of mma.sync. Memory: matrices and keys of 100 MB each way, 0.1 ms. See docs/results/kernels.md.
#include "common.cuh"
#include "gated_ridge.cuh"

// What is left between tokens, as lanes want it: of each block, two times four floats a lane.
struct Between {
  float4* at;  // (10 blocks on and below the diagonal, 2, 32)

  __device__ float4& of(int own, int key, int n) const {
    int row = own / 16;
    return at[((row * (row + 1) / 2 + key / 16) * 2 + n) * 32 + threadIdx.x % 32];
  }

  // The warp's own rows.
  __device__ void fill(int own, const Decays& decays) const {
    for (int key = 0; key <= own; key += 16) {
      EACH for (int n = 0; n < 2; n++) {
        float left[4];
        EACH for (int c = 0; c < 4; c++) {
          int i = own + threadIdx.x % 32 / 4 + c / 2 * 8;
          int j = key + 8 * n + threadIdx.x % 4 * 2 + c % 2;
          left[c] = j <= i ? decays.between(i, j) : 0.f;
        }
        of(own, key, n) = make_float4(left[0], left[1], left[2], left[3]);
      }
    }
  }
};

struct Chunk {
  const bf16 *matrix, *keys;  // planes in shared memory
  Between between;
  int own;
  float left[2];  // of the matrix before the chunk, at the lane's rows

  // out += M_i x_i, operands read to READ planes.
  template <int READ, int P>
  __device__ __forceinline__ void times(float (&out)[TILES][4], const Block<P> (&x)[BLOCKS]) const {
    each_product<false, READ>(x, matrix, [&](int n, const float (&y)[4]) {
      EACH for (int c = 0; c < 4; c++) out[n][c] += left[c / 2] * y[c];
    });
    for (int key = 0; key <= own; key += 16) {
      float p[2][4];
      scores<READ, PLANES>(p, x, keys + key * KEY_PITCH);
      EACH for (int n = 0; n < 2; n++) {
        float4 by = between.of(own, key, n);
        p[n][0] *= by.x;
        p[n][1] *= by.y;
        p[n][2] *= by.z;
        p[n][3] *= by.w;
      }
      add<READ, PLANES>(out, p[0], p[1], keys + key * KEY_PITCH);
    }
  }

  // ‖M_i‖² of the lane's rows, from its growth k_i (2 M_i − k_i k_iᵀ) k_i: all terms are positive.
  // growth: room for all tokens; square: of the matrix before.
  __device__ void norms(float (&to)[2], float* growth, float square) const {
    int lane = threadIdx.x % 32;
    Block<PLANES> key[BLOCKS];
    EACH for (int k = 0; k < BLOCKS; k++)
      left_planes<PLANES, KEY_PITCH>(key[k], keys + own * KEY_PITCH + 16 * k, KEYS);
    float y[TILES][4] = {};
    times<FINE>(y, key);
    EACH for (int half = 0; half < 2; half++) {
      float seen = 0.f, length = 0.f;
      EACH for (int n = 0; n < TILES; n++) {
        float2 k = pair<PLANES>(keys, own + lane / 4 + 8 * half, 8 * n + lane % 4 * 2);
        seen += k.x * y[n][2 * half] + k.y * y[n][2 * half + 1];
        length += k.x * k.x + k.y * k.y;
      }
      seen = quad_sum(seen);
      length = quad_sum(length);
      if (lane % 4 == 0) growth[own + lane / 4 + 8 * half] = 2.f * seen - length * length;
    }
    __syncthreads();
    float sum[2] = {};
    for (int key = 0; key <= own; key += 16) {
      EACH for (int n = 0; n < 2; n++) {
        float4 by = between.of(own, key, n);
        float2 grown = *(const float2*)(growth + key + 8 * n + lane % 4 * 2);
        sum[0] += by.x * by.x * grown.x + by.y * by.y * grown.y;
        sum[1] += by.z * by.z * grown.x + by.w * by.w * grown.y;
      }
    }
    EACH for (int half = 0; half < 2; half++)
      to[half] = left[half] * left[half] * square + quad_sum(sum[half]);
  }
};

// Σ x · (the same rows of a tensor), of the lane's two rows.
__device__ __forceinline__ void dots(
    float (&to)[2], const Place& place, const float (&x)[TILES][4], const T* of) {
  EACH for (int half = 0; half < 2; half++) {
    float sum = 0.f;
    EACH for (int n = 0; n < TILES; n++) {
      Words<T, 2> two = place.pair(of, place.token() + 8 * half, 8 * n + threadIdx.x % 4 * 2);
      sum += x[n][2 * half] * two[0] + x[n][2 * half + 1] * two[1];
    }
    to[half] = quad_sum(sum);
  }
}

// b, k, out and z, the solution of forward (B, T, H, dim); matrices before chunks (chunks, B, H, dim,
// dim). Where GRADIENT the solution goes to `fine` as well, float32, and slopes and pulls are (B, H, T).
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) ridge_solve(
    const T* __restrict__ b, const T* __restrict__ k, const float* __restrict__ g,
    const int* __restrict__ begin, const float* __restrict__ matrices, T* __restrict__ out,
    const T* __restrict__ z, float* __restrict__ fine, float* __restrict__ slopes,
    float* __restrict__ pulls, float ridge, int iterations, int coarse, int through_lambda,
    long tokens, int heads, int dim) {
  extern __shared__ __align__(16) char memory[];
  bf16 *matrix = (bf16*)memory, *keys = matrix + FINE * STATE;
  __shared__ Decays decays;
  __shared__ __align__(16) float growth[CHUNK];
  const Place place(tokens, heads, dim);
  place.fetch<PLANES>(keys, k);
  const float* before = matrices + place.matrix();
  float square = stage_matrix(matrix, before, before, dim);
  if (threadIdx.x < 32) place.decays(decays, g, begin);
  copies_done();
  square = block_sum(square);  // and all see what all have brought

  int token = place.token(), pair_of = threadIdx.x % 4 * 2;
  Chunk chunk{matrix, keys, Between{(float4*)(keys + PLANES * KEYS)}, place.own,
              {decays.from_start[token], decays.from_start[token + 8]}};
  chunk.between.fill(place.own, decays);
  __syncwarp();
  float norm[2];
  chunk.norms(norm, growth, square);
  float step[2], unstep[2];  // s and 1/s
  EACH for (int half = 0; half < 2; half++) {
    norm[half] = sqrtf(norm[half]);
    unstep[half] = norm[half] * (ridge + 0.5f);
    step[half] = token + 8 * half < place.rows ? 1.f / unstep[half] : 0.f;
  }

  Words<T, 2> given[TILES][2];
  Block<FINE> x[BLOCKS];  // the solution so far
  float sum[TILES][4];    // the one before it, then the next
  EACH for (int n = 0; n < TILES; n++) {
    EACH for (int half = 0; half < 2; half++) {
      given[n][half] = place.pair(b, token + 8 * half, 8 * n + pair_of);
      sum[n][2 * half] = step[half] * given[n][half][0];
      sum[n][2 * half + 1] = step[half] * given[n][half][1];
    }
  }
  auto solved = [&](float before_it) {  // moves on: x is the sum, the sum what x was, or nothing
    EACH for (int n = 0; n < TILES; n++) {
      EACH for (int half = 0; half < 2; half++) {
        float old[2] = {};
        int part = n % 2 * 2 + half;
        if (before_it != 0.f) {
          EACH for (int p = FINE - 1; p >= 0; p--) {
            old[0] += low(x[n / 2][p][part]);
            old[1] += high(x[n / 2][p][part]);
          }
        }
        unsigned both[FINE];
        split<FINE>(both, sum[n][2 * half], sum[n][2 * half + 1]);
        EACH for (int p = 0; p < FINE; p++) x[n / 2][p][part] = both[p];
        sum[n][2 * half] = old[0];
        sum[n][2 * half + 1] = old[1];
      }
    }
  };
  solved(0.f);
  // The interval's ends are in a fixed proportion, so the weights are the same everywhere; their
  // recurrence contracts, and what they are off by moves no fixed point.
  float rate = 0.5f / (2.f * ridge + 1.f), weight = 2.f;
  for (int i = 0; i < iterations; i++) {
    if (i > 0) solved(1.f);
    weight = 1.f / (1.f - rate * rate * weight);
    EACH for (int n = 0; n < TILES; n++) {
      EACH for (int half = 0; half < 2; half++) {
        float solution[2] = {}, share = (weight - 1.f) / weight * unstep[half];
        EACH for (int p = FINE - 1; p >= 0; p--) {
          solution[0] += low(x[n / 2][p][n % 2 * 2 + half]);
          solution[1] += high(x[n / 2][p][n % 2 * 2 + half]);
        }
        EACH for (int c = 0; c < 2; c++) {
          float& s = sum[n][2 * half + c];
          s = share * s - 0.5f * norm[half] * solution[c] - given[n][half][c];
        }
      }
    }
    if (i < coarse) chunk.times<1>(sum, x);
    else chunk.times<FINE>(sum, x);
    EACH for (int n = 0; n < TILES; n++)
      EACH for (int c = 0; c < 4; c++) sum[n][c] *= -weight * step[c / 2];
  }

  place.store(out, sum);
#if GRADIENT
  place.store(fine, sum);
  float slope[2], pull[2];
  dots(slope, place, sum, z);
  solved(0.f);
  chunk.times<FINE>(sum, x);
  dots(pull, place, sum, z);
  EACH for (int half = 0; half < 2; half++) {
    int at = token + 8 * half;
    slope[half] = through_lambda ? ridge * slope[half] / norm[half] : 0.f;
    if (at >= place.rows || pair_of > 0) continue;
    slopes[place.by_head(at)] = slope[half];
    pulls[place.by_head(at)] = -pull[half] - slope[half] * norm[half] * norm[half];
  }
#endif
}
