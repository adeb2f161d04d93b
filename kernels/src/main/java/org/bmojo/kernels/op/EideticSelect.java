package org.bmojo.kernels.op;

import static org.bmojo.kernels.torch.Shapes.ANY;
import static org.bmojo.kernels.torch.Shapes.expect;
import static org.bmojo.kernels.torch.Shapes.expectBegin;

import org.bmojo.error.BadInput;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Which tokens eidetic memory holds: at every absolute multiple cC of the chunk, the E positions j
 * ≤ cC − W with the highest score; of equal scores the later position wins. A score of −∞ is never
 * kept. Selection has no gradient. Where a row holds several documents, a chunk's set is chosen
 * from the one that its first token belongs to.
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
    /** Refuses numbers that mean nothing. */
    public Rule {
      if (capacity < 0 || window < 1 || chunk < 1) {
        throw new BadInput(
            "eidetic select: capacity " + capacity + ", window " + window + ", chunk " + chunk,
            "expected at least 0, 1 and 1",
            "correct the layer's configuration");
      }
    }

    /** Chunks touched by tokens start … start+tokens−1: M. */
    public int chunks(long start, long tokens) {
      return (int) ((start + tokens - 1) / chunk - start / chunk + 1);
    }

    /** Tokens before a call that may still become eligible: W + C − 1, or all there are. */
    public int tail(long start) {
      return (int) Math.min(start, (long) window + chunk - 1);
    }

    /** The newest position that was eligible at the last refresh before {@code start}, or −1. */
    public long refreshedBefore(long start) {
      return start == 0 ? -1 : Math.max(-1, (start - 1) / chunk * chunk - window);
    }

    /**
     * Refuses arguments of {@link EideticSelect#forward} that do not fit together.
     *
     * @throws BadInput saying which and why
     */
    public void expectFit(
        Tensor scores,
        long start,
        Tensor keptPositions,
        Tensor keptScores,
        @Nullable Tensor begin) {
      String op = "eidetic select";
      expect(op, "scores", scores, ANY, ANY);
      long batch = scores.size(0);
      expect(op, "kept positions", keptPositions, batch, capacity);
      expect(op, "kept scores", keptScores, batch, capacity);
      if (start < 0 || scores.size(1) <= tail(start)) {
        throw new BadInput(
            op + ": " + scores.size(1) + " scores for tokens from position " + start + " on",
            "expected those of " + tail(start) + " tokens before it and of at least one new one",
            "pass the scores of the tail and of the new tokens");
      }
      if (begin != null) expectBegin(op, begin, batch, scores.size(1) - tail(start));
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
   * @param begin (B, T) int32 where documents begin, as the package says; null for one document
   */
  Output forward(
      Rule rule,
      Tensor scores,
      long start,
      Tensor keptPositions,
      Tensor keptScores,
      @Nullable Tensor begin);

  /** The same of rows with one document each. */
  default Output forward(
      Rule rule, Tensor scores, long start, Tensor keptPositions, Tensor keptScores) {
    return forward(rule, scores, start, keptPositions, keptScores, null);
  }
}
