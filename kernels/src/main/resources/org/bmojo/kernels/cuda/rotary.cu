// Rotate-half. Constants: ELEMENT type, VECTOR planes per thread (divides D/2).
#include "common.cuh"

using T = ELEMENT;

// x, y (B·T, H, D); cos, sin (angles, D/2) with angles T or 1; direction −1 turns back.
// What stands in before, unless it is null, joins y.
extern "C" __global__ void rotary_turn(
    const T* __restrict__ x, const float* __restrict__ cos, const float* __restrict__ sin,
    const T* __restrict__ before, T* __restrict__ y, long planes, int heads, int half, int tokens, int angles,
    float direction) {
  long i = (blockIdx.x * (long)blockDim.x + threadIdx.x) * VECTOR;  // plane among all
  if (i >= planes) return;
  long head = i / half;
  int plane = (int)(i - head * half);
  long angle = (angles == 1 ? 0 : head / heads % tokens) * half + plane;
  long at = head * 2 * half + plane;
  float a[VECTOR], b[VECTOR], c[VECTOR], s[VECTOR];
  read<VECTOR>(x + at, a);
  read<VECTOR>(x + at + half, b);
  read<VECTOR>(cos + angle, c);
  read<VECTOR>(sin + angle, s);
  EACH for (int j = 0; j < VECTOR; j++) {
    float turned = s[j] * direction, first = a[j];
    a[j] = first * c[j] - b[j] * turned;
    b[j] = b[j] * c[j] + first * turned;
  }
  if (before) {
    read<VECTOR>(before + at, c);
    read<VECTOR>(before + at + half, s);
    EACH for (int j = 0; j < VECTOR; j++) {
      a[j] += c[j];
      b[j] += s[j];
    }
  }
  write<VECTOR>(y + at, a);
  write<VECTOR>(y + at + half, b);
}
