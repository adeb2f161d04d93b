package org.bmojo.kernels.op;

import org.bytedeco.pytorch.Tensor;

/**
 * Which tokens eidetic memory holds: at every absolute multiple cC of the chunk, the E positions j
 * ≤ cC − W with the highest score; of equal scores the later position wins. A score of −∞ is never
 * kept. Selection has no gradient.
 *
 * <p>Past tokens are handed in as candidates: the E kept at the last refresh, and the P tokens just
 * before the call. P = W + C − 1 is enough for any split of a sequence into calls (fewer only where
 * fewer tokens exist).
 */
public interface EideticSelect {
  /**
   * The rule.
   *
   * @param capacity E, tokens kept at most
   * @param window W, tokens; those inside the window are not eligible
   * @param chunk C, tokens between refreshes
   */
  record Rule(int capacity, int window, int chunk) {
    /** Chunks touched by tokens start … start+tokens−1: M. */
    public int chunks(long start, long tokens) {
      return (int) ((start + tokens - 1) / chunk - start / chunk + 1);
    }

    /** Tokens before a call that may still become eligible: W + C − 1, or all there are. */
    public int tail(long start) {
      return (int) Math.min(start, (long) window + chunk - 1);
    }
  }

  /**
   * What leaves.
   *
   * @param positions (B, M, E) int64, ascending in each set, −1 for empty slots, which come last
   * @param rows (B, M, E) int64, where each token stands among the candidates [kept | tail | new]:
   *     a row of their concatenation, (E + P + T) long; 0 for empty slots
   */
  record Output(Tensor positions, Tensor rows) {}

  /**
   * The sets of every chunk that the new tokens touch.
   *
   * @param scores (B, P + T) of the tail and the new tokens, float32 or float64
   * @param start position of the first new token
   * @param keptPositions (B, E) int64, the set at the last refresh before {@code start}, −1 where
   *     empty
   * @param keptScores (B, E) their scores
   */
  Output forward(Rule rule, Tensor scores, long start, Tensor keptPositions, Tensor keptScores);
}
