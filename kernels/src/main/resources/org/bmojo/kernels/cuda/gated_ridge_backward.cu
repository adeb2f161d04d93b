// What flows from the solutions z and the solved gradients dq (gated_ridge.cu) into the matrices and
// the keys. A token's matrix gets −dq zᵀ − slope M, and with what is left of slopes,
//
//   m_i = Σ_{t ≥ i} L_ti² slope_t
//
// all tokens of a chunk together give the matrix before it and the keys, where D is the gradient of
// the matrix after the chunk and e_i what is left of token i at its end,
//
//   −Σ f_i dq_i z_iᵀ − m_1 f_1² M − Σ f_i m_i k_i k_iᵀ
//   dk_i = e_i (D + Dᵀ) k_i − 2 m_i f_i M k_i − 2 Σ_j L m_max(i,j) (k_i · k_j) k_j
//          − Σ_{t ≥ i} L_ti ((dq_t · k_i) z_t + (z_t · k_i) dq_t)
//
// The first is a kernel, whose results head_chain (head_states.cu) joins back in time to all D; the
// second is the other kernel. Every sum over pairs m_max L is Lᵀ diag(slope) L in closed form: what is
// left from j to t is what is left from j to i times from i to t.
//
// Floor, (8, 2048, 24 heads, dim 64), bfloat16: matrices of 100 MB, two read and one written, two read,
// and 0.5 GB of tokens: 0.33 ms at 3 TB/s; 40 GFLOP, 0.1 ms.
#include "common.cuh"
#include "gated_ridge.cuh"

// What both kernels know of a chunk's tokens.
struct Tokens {
  Decays decays;
  float slopes[CHUNK], gathered[CHUNK];  // m
};

// Before the block's next barrier but one; slopes (B, H, T).
__device__ __forceinline__ void bring(
    Tokens& to, const Place& place, const float* slopes, const float* g, const int* begin) {
  if (threadIdx.x < 32) place.decays(to.decays, g, begin);
  int i = threadIdx.x - CHUNK;
  if (i >= 0) to.slopes[i] = i < place.rows ? slopes[place.by_head(i)] : 0.f;
}
__device__ __forceinline__ void gather(Tokens& of) {
  int i = threadIdx.x;
  if (i >= CHUNK) return;
  float sum = 0.f;
  for (int t = CHUNK - 1; t >= i; t--) {
    float left = of.decays.between(t, i);
    sum += left * left * of.slopes[t];
  }
  of.gathered[i] = sum;
}

// Of the matrix before every chunk, what the chunk's own tokens give: written (chunks, B, H, dim, dim).
// k, z (B, T, H, dim) and dq the same in float32.
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) ridge_matrices(
    const T* __restrict__ k, const T* __restrict__ z, const float* __restrict__ dq,
    const float* __restrict__ g, const int* __restrict__ begin, const float* __restrict__ slopes,
    const float* __restrict__ matrices, float* __restrict__ written, long tokens, int heads,
    int dim) {
  extern __shared__ __align__(16) char memory[];
  bf16 *keys = (bf16*)memory, *solutions = keys + PLANES * KEYS;
  bf16* gradients = solutions + PLANES * KEYS;
  __shared__ Tokens of;
  __shared__ __align__(16) float along[CHUNK];
  const Place place(tokens, heads, dim);
  place.fetch<PLANES>(keys, k);
  place.fetch<PLANES>(solutions, z);
  place.fetch<FINE>(gradients, dq);
  bring(of, place, slopes, g, begin);
  copies_done();
  __syncthreads();
  gather(of);
  if (threadIdx.x < CHUNK)
    along[threadIdx.x] = of.decays.from_start[threadIdx.x] * of.gathered[threadIdx.x];
  __syncthreads();
  float state[OWN][TILES][4];
  float whole = of.decays.from_start[0] * along[0];
  const float* before = matrices + place.matrix();
  each_of_state(state, [&](float& s, int row, int column) {
    s = row < dim && column < dim ? whole * before[(long)row * dim + column] : 0.f;
  });
  advance<FINE, PLANES>(state, gradients, solutions, of.decays.from_start);
  advance<PLANES, PLANES>(state, keys, keys, along);
  float* to = written + place.matrix();
  each_of_state(state, [&](float& s, int row, int column) {
    if (row < dim && column < dim) to[(long)row * dim + column] = -s;
  });
}

// dk (B, T, H, dim) and dg (B, T, H); after (chunks, B, H, dim, dim) the gradients of matrices after
// chunks; slopes and pulls (B, H, T).
//
// With all that M_t gets, dg_i is the sum over t ≥ i of pull_t − k_t · dk_t / 2 and of what D says of the
// matrix after the chunk. D's share in that is summed from the other side, where nothing cancels.
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) ridge_keys(
    const T* __restrict__ k, const T* __restrict__ z, const float* __restrict__ dq,
    const float* __restrict__ g, const int* __restrict__ begin, const float* __restrict__ slopes,
    const float* __restrict__ pulls, const float* __restrict__ matrices,
    const float* __restrict__ after, T* __restrict__ dk, float* __restrict__ dg, long tokens,
    int heads, int dim) {
  extern __shared__ __align__(16) char memory[];
  bf16 *keys = (bf16*)memory, *matrix = keys + PLANES * KEYS;
  bf16 *solutions = matrix, *gradients = solutions + PLANES * KEYS;  // where matrices were
  __shared__ Tokens of;
  __shared__ float told[CHUNK], written[CHUNK];  // of dg: summed to the end; from the start
  __shared__ bool begins[CHUNK];
  const Place place(tokens, heads, dim);
  int lane = threadIdx.x % 32, own = place.own, token = place.token();
  place.fetch<PLANES>(keys, k);
  const float *before = matrices + place.matrix(), *later = after + place.matrix();
  stage_matrix(matrix, before, before, dim);
  bring(of, place, slopes, g, begin);
  copies_done();
  __syncthreads();
  gather(of);
  if (threadIdx.x >= CHUNK) {
    int i = threadIdx.x - CHUNK;
    long at = place.sequence * tokens + place.first + i;
    bool there = i < place.rows;
    begins[i] = there && (begin && begin[at] == place.first + i ||
                          g[place.line(i)] == -__int_as_float(0x7f800000));
  }
  __syncthreads();

  Block<PLANES> key[BLOCKS];
  EACH for (int b = 0; b < BLOCKS; b++)
    left_planes<PLANES, KEY_PITCH>(key[b], keys + own * KEY_PITCH + 16 * b, KEYS);
  float out[TILES][4] = {};
  // out += by · y, and to += k · y.
  auto take = [&](int n, const float (&y)[4], const float (&by)[2], float (&to)[2]) {
    EACH for (int half = 0; half < 2; half++) {
      float2 of_key = pair<PLANES>(keys, token + 8 * half, 8 * n + lane % 4 * 2);
      to[half] += of_key.x * y[2 * half] + of_key.y * y[2 * half + 1];
      out[n][2 * half] += by[half] * y[2 * half];
      out[n][2 * half + 1] += by[half] * y[2 * half + 1];
    }
  };
  float tell[2] = {}, write[2] = {}, by[2];
  EACH for (int half = 0; half < 2; half++)
    by[half] = -2.f * of.decays.from_start[token + 8 * half] * of.gathered[token + 8 * half];
  each_product<false, FINE>(key, matrix, [&](int n, const float (&y)[4]) { take(n, y, by, tell); });
  EACH for (int half = 0; half < 2; half++) tell[half] *= -0.5f * by[half];
  __syncthreads();
  float match = stage_matrix(matrix, later, before, dim);
  match = of.decays.whole * block_sum(match);
  EACH for (int half = 0; half < 2; half++) by[half] = of.decays.to_end[token + 8 * half];
  each_product<false, FINE>(key, matrix, [&](int n, const float (&y)[4]) { take(n, y, by, write); });
  each_product<true, FINE>(key, matrix, [&](int n, const float (&y)[4]) { take(n, y, by, write); });
  EACH for (int half = 0; half < 2; half++) write[half] *= by[half];
  __syncthreads();
  place.fetch<PLANES>(solutions, z);
  place.fetch<FINE>(gradients, dq);
  copies_done();
  __syncthreads();

  for (int other = 0; other < CHUNK; other += 16) {
    const bf16* tile = keys + other * KEY_PITCH;
    float p[2][4];
    scores<FINE, PLANES>(p, key, tile);
    EACH for (int n = 0; n < 2; n++) {
      EACH for (int c = 0; c < 4; c++) {
        int i = token + c / 2 * 8, j = other + 8 * n + lane % 4 * 2 + c % 2;
        float left = of.decays.between(max(i, j), min(i, j)) * of.gathered[max(i, j)];
        tell[c / 2] += left * p[n][c] * p[n][c];
        p[n][c] *= -2.f * left;
      }
    }
    add<FINE, PLANES>(out, p[0], p[1], tile);
    if (other < own) continue;
    float q[2][4];
    scores<FINE, FINE>(p, key, gradients + other * KEY_PITCH);
    scores<FINE, PLANES>(q, key, solutions + other * KEY_PITCH);
    EACH for (int n = 0; n < 2; n++) {
      EACH for (int c = 0; c < 4; c++) {
        int i = token + c / 2 * 8, t = other + 8 * n + lane % 4 * 2 + c % 2;
        float left = t >= i ? of.decays.between(t, i) : 0.f;
        tell[c / 2] += left * p[n][c] * q[n][c];
        p[n][c] *= -left;
        q[n][c] *= -left;
      }
    }
    add<FINE, PLANES>(out, p[0], p[1], solutions + other * KEY_PITCH);
    add<FINE, FINE>(out, q[0], q[1], gradients + other * KEY_PITCH);
  }
  place.store(dk, out);
  EACH for (int half = 0; half < 2; half++) {
    int at = token + 8 * half;
    float own_pull = at < place.rows ? pulls[place.by_head(at)] : 0.f;
    float told_by = quad_sum(tell[half]), written_by = quad_sum(write[half]);
    if (lane % 4 != 0) continue;
    told[at] = own_pull + told_by;
    written[at] = written_by;
  }
  __syncthreads();
  int i = threadIdx.x;
  if (i >= place.rows) return;
  double sum = match;
  for (int j = 0; j < i; j++) sum += 0.5 * written[j];
  for (int t = i; t < place.rows && (t == i || !begins[t]); t++) sum += told[t];
  dg[place.line(i)] = begins[i] ? 0.f : (float)sum;
}
