// A layer's eidetic memory: a row of a table of addresses, so that one launch serves all layers that are
// alike. Included after common.cuh. Constants: ELEMENT type, PREDICTOR's and IMPORTANCE's weights'.

using T = ELEMENT;

struct Layer {
  const T *x, *y;            // (B, d) the layer's input and its state's output
  T* history;                // (B, d) of the token before, what this one is foreseen from
  const PREDICTOR *down, *up;                          // (r, d), (d, r); null: none
  const IMPORTANCE *weight, *state_weight, *offset;  // (d), (d), (1); null: none
  float* recent;             // (B, rows) scores by position
  const T *window_k, *window_v;  // (B, rows, G, D) keys rotated
  T *k, *v;                  // (B, E, G, D) keys unrotated
  long* positions;           // (B, E)
  float *scores, *bias;      // (B, E), (B, H, E)
};
