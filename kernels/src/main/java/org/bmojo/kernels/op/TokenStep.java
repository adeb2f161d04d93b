package org.bmojo.kernels.op;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The parts of one token's way through a model that are no {@link RowLinear}, for a batch of
 * sequences that need not be in step. Everything that changes from token to token is read and
 * written where it lies on the device, positions included, so that the same calls, recorded once,
 * serve every token. Only for rooms where a call costs more than its work.
 *
 * <p>No function is defined here that another operation does not define already, so there is no
 * reference room for it: what a token must come to is what the layers' own steps say, by {@link
 * CausalConv}, {@link SelectiveScan}, {@link MemoryAttention}, {@link EideticSelect} and {@link
 * Rotary}, which have one. Programs made of this, and the CPU's, which {@code kernels.token} makes
 * of stages instead, are tested against these steps in float64, layer kinds and sizes at random
 * (TokenProgramContract, with the models).
 */
public interface TokenStep {
  /** Queues a whole token's work of these operations and linear maps, as densely as can be. */
  void queue(Runnable work);

  /**
   * Looks up the tokens, and the rotary angles of the places where they stand.
   *
   * @param table (V, d)
   * @param ids (B) int64
   * @param positions (B) int64
   * @param frequencies (D/2) float64: a plane's angle per position; null without rotation
   * @param x (B, d), overwritten
   * @param cosines (B, D/2) float32, overwritten; null without rotation
   * @param sines the same
   */
  void begin(
      Tensor table,
      Tensor ids,
      Tensor positions,
      @Nullable Tensor frequencies,
      Tensor x,
      @Nullable Tensor cosines,
      @Nullable Tensor sines);

  /**
   * Chooses the likeliest id of each sequence, the first of equals, and moves on.
   *
   * @param logits (B, V)
   * @param ids (B) int64, overwritten
   * @param positions (B) int64, grow by {@code active}
   * @param active (B) int64, 1 or 0
   */
  void end(Tensor logits, Tensor ids, Tensor positions, Tensor active);

  /**
   * A short convolution, then silu.
   *
   * @param x (B, I), may be columns of something wider
   * @param weight (I, K)
   * @param bias (I), or null
   * @param state (B, K−1, I), advanced
   * @param out (B, I), overwritten
   */
  record Convolution(Tensor x, Tensor weight, @Nullable Tensor bias, Tensor state, Tensor out) {}

  /**
   * A layer's way in: out = norm(x) · weightᵀ, and the convolutions that follow.
   *
   * @param x (B, d)
   * @param map its first columns are the convolution's x, and may be left unwritten
   * @param plain over these columns
   * @param residual over the normalised rows, which are {@code norm.out()}: its out is x +
   *     silu(conv(x)); null for none
   */
  void enter(
      Tensor x,
      RowLinear.Norm norm,
      RowLinear.Map map,
      Convolution plain,
      @Nullable Convolution residual);

  /**
   * One step of a selective state space.
   *
   * @param u (B, I)
   * @param maps (B, r + 2N): what step sizes are made of, input map, output map
   * @param steps (I, r), makes step sizes of the first r columns
   * @param deltaBias (I) float32
   * @param a (I, N) float32, negative
   * @param d (I) float32
   * @param z (B, I), may be columns of something wider
   * @param state (B, I, N) float32, advanced
   * @param out (B, I), overwritten
   */
  record Scan(
      Tensor u,
      Tensor maps,
      Tensor steps,
      Tensor deltaBias,
      Tensor a,
      Tensor d,
      Tensor z,
      Tensor state,
      Tensor out) {}

  /** Advances a state space. */
  void scan(Scan in);

  /**
   * Heads of the token and of the state's output, unrotated.
   *
   * @param q (B, H·D)
   * @param k (B, G·D)
   * @param v (B, G·D)
   * @param fadingK (B, G·D), null without fading memory
   * @param fadingV the same
   */
  record Heads(Tensor q, Tensor k, Tensor v, @Nullable Tensor fadingK, @Nullable Tensor fadingV) {}

  /**
   * How heads are turned; all null in a layer without positions.
   *
   * @param cosines (B, D/2) float32 of the tokens' places
   * @param farCosines (1, D/2) float32 of the distance at which long-term memory stands, null for
   *     queries as they are
   */
  record Angles(
      @Nullable Tensor cosines,
      @Nullable Tensor sines,
      @Nullable Tensor farCosines,
      @Nullable Tensor farSines) {}

  /**
   * Keys and values by position modulo rows.
   *
   * @param k (B, rows, G, D), takes a new row
   * @param v the same
   * @param span how many tokens are seen
   */
  record Memory(Tensor k, Tensor v, int span) {}

  /**
   * Verbatim tokens.
   *
   * @param k (B, E, G, D) unrotated
   * @param v (B, E, G, D)
   * @param bias (B, H, E) float32, joins the logits; −∞ where empty
   */
  record Kept(Tensor k, Tensor v, Tensor bias) {}

  /**
   * Room for work of several blocks on one head.
   *
   * @param parts (B, H, {@link #SPLITS}, D + 2) float32
   * @param arrived (B, H) int32, zeros before and after
   */
  record Workspace(Tensor parts, Tensor arrived) {}

  /** Blocks that share a head at most. */
  int SPLITS = 8;

  /**
   * Notes a token in a layer's rings and attends to all that the layer remembers.
   *
   * @param positions (B) int64
   * @param fading what follows behind the window; null without
   * @param kept null without
   * @param heads H
   * @param scale of q · k
   * @param out (B, H·D), overwritten
   */
  record Attention(
      Heads of,
      Angles angles,
      Tensor positions,
      Memory window,
      @Nullable Memory fading,
      @Nullable Kept kept,
      int heads,
      double scale,
      Workspace workspace,
      Tensor out) {}

  /** Attends. */
  void attend(Attention in);

  /**
   * Eidetic memories of several layers that are alike, in one table.
   *
   * @param layers (layers, {@value #ADDRESSES}) int64: addresses of x, y, history; of a predictor's
   *     down and up; of importance's weight, weight of the state, and bias; of scores of recent
   *     tokens, window k and v, kept k and v, their positions, scores and bias, of the shapes
   *     below; 0 for what a layer's score does not need
   * @param like an activation: gives the type
   * @param predictor a predictor's matrix: gives its type; null where nothing is foreseen
   * @param importance a weight of importance: gives their type; null where none is learned
   * @param batch B
   * @param width d: x, y and history are (B, d)
   * @param rank r: down is (r, d), up (d, r); 0 without
   * @param scaleFree whether a predictor reads rms(y)
   * @param rows of the rings (B, rows) and (B, rows, G, D)
   * @param capacity E
   * @param window W
   * @param chunk C
   * @param heads H
   * @param groups G
   * @param dim D
   */
  record Eidetic(
      Tensor layers,
      Tensor like,
      @Nullable Tensor predictor,
      @Nullable Tensor importance,
      int batch,
      int width,
      int rank,
      boolean scaleFree,
      int rows,
      int capacity,
      int window,
      int chunk,
      int heads,
      int groups,
      int dim) {
    /** Addresses of a layer. */
    public static final int ADDRESSES = 16;
  }

  /**
   * Scores the token, and notes the score and, for the next token's prediction, y or rms(y): by
   * innovation, mean (rms(x) − up · down · y before)²; by importance, softplus(w·x + u·rms(y) + b),
   * with or without the term in y; by their product.
   *
   * @param positions (B) int64
   */
  void score(Eidetic memories, Tensor positions, double eps);

  /**
   * Gives the sequences that begin a chunk with their next token a new set; others keep theirs.
   * Where importance is learned, its logarithm becomes the bias.
   *
   * @param positions (B) int64
   * @param frequencies (D/2) float64, null without rotation
   * @param chosen (layers, B, E) int64, overwritten
   */
  void refresh(Eidetic memories, Tensor positions, @Nullable Tensor frequencies, Tensor chosen);
}
