package org.bmojo.kernels.reference;

import static org.bmojo.kernels.torch.Tensors.accumulation;
import static org.bmojo.kernels.torch.Tensors.scalar;

import org.bmojo.kernels.op.Documents;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The decays inside a run of C tokens, from which recurrences with one decay per head become
 * products of matrices. Everything is laid out (B, H, C, …).
 *
 * @param within (B, H, C, C): what is left at row's token of what column's token wrote, 0 above the
 *     diagonal
 * @param fromStart (B, H, C, 1): what is left of the state before the chunk
 * @param toEnd (B, H, C, 1): what will be left after the chunk of what a token wrote
 * @param whole (B, H, 1, 1): what is left after the chunk of the state before it
 * @param together (B, H, C, C): 1 where row's token and an earlier one, column's, are of the same
 *     document, else 0; null where there is but one
 */
record Chunk(
    Tensor within, Tensor fromStart, Tensor toEnd, Tensor whole, @Nullable Tensor together) {
  /** Tokens in a chunk: the products cost C, the loop over chunks T/C. */
  static final int TOKENS = 64;

  /**
   * From logarithms of decays.
   *
   * @param g (B, H, C)
   * @param packed whether there may be several documents, which begin where g is −∞
   */
  static Chunk of(Tensor g, boolean packed) {
    long tokens = g.size(-1);
    Tensor square = g.unsqueeze(-1).expand(g.size(0), g.size(1), tokens, tokens);
    // later[i][j] = g[j+1] + … + g[i], summed as such: a difference of two sums from the start
    // would have lost its digits once much was forgotten.
    Tensor later = earlier(square).cumsum(-2);
    Tensor above = torch.ones_like(later).triu(1).to(ScalarType.Bool);
    Tensor within = later.exp().masked_fill(above, scalar(0));
    Tensor fromStart = g.cumsum(-1).exp().unsqueeze(-1);
    return new Chunk(
        within,
        fromStart,
        within.narrow(-2, tokens - 1, 1).transpose(-1, -2),
        fromStart.narrow(-2, tokens - 1, 1),
        packed ? together(g) : null);
  }

  private static Tensor together(Tensor g) {
    Tensor number = g.eq(scalar(Double.NEGATIVE_INFINITY)).cumsum(-1);
    return number.unsqueeze(-1).eq(number.unsqueeze(-2)).to(g.scalar_type()).tril();
  }

  /** (B, H, T) of logarithms (B, T, H): −∞ where a document begins, so that nothing is left. */
  static Tensor decays(Tensor g, @Nullable Tensor begin) {
    if (begin == null) return byHead(g);
    Tensor firsts = Documents.firsts(begin).unsqueeze(-1);
    return byHead(g.masked_fill(firsts, scalar(Double.NEGATIVE_INFINITY)));
  }

  /** The gradient of the logarithms, (B, T, H), from that of {@link #decays}. */
  static Tensor ofDecays(Tensor d, @Nullable Tensor begin) {
    Tensor dg = d.transpose(1, 2);
    return begin == null ? dg : dg.masked_fill(Documents.firsts(begin).unsqueeze(-1), scalar(0));
  }

  /**
   * (B, T, H, …) → (B, H, T, …), in float64: the gradient of a decay is a sum of differences of
   * products nearly equal, and a solver multiplies every rounding before it by fifty.
   */
  static Tensor byHead(Tensor t) {
    return t.to(ScalarType.Double).transpose(1, 2).contiguous();
  }

  /** A state as chunks compute with it. */
  static Tensor wide(Tensor state) {
    return state.to(ScalarType.Double);
  }

  /** A state as it is kept: float32, or float64 where decays are. */
  static Tensor kept(Tensor state, Tensor g) {
    return state.to(accumulation(g)).contiguous();
  }

  /** How many chunks T tokens are. */
  static int count(Tensor byHead) {
    return (int) ((byHead.size(2) + TOKENS - 1) / TOKENS);
  }

  /** The tokens of chunk {@code c} of (B, H, T, …). */
  static Tensor slice(Tensor byHead, int c) {
    long from = (long) c * TOKENS;
    return byHead.narrow(2, from, Math.min(TOKENS, byHead.size(2) - from));
  }

  /**
   * Sums from each token to the chunk's end: the gradient of a running sum, (B, H, C). At most to
   * its document's end: beyond that they come to zero, but for rounding.
   */
  Tensor sumToEnd(Tensor t) {
    if (together == null) return t.flip(-1).cumsum(-1).flip(-1);
    return t.unsqueeze(-2).matmul(together).squeeze(-2);
  }

  /** The strictly lower triangle: earlier tokens only. */
  static Tensor earlier(Tensor square) {
    return square.tril(-1);
  }

  /** Row-wise inner products, (…, C, D) and (…, C, D) → (…, C). */
  static Tensor dot(Tensor a, Tensor b) {
    return a.mul(b).sum(-1);
  }

  static Tensor t(Tensor matrix) {
    return matrix.transpose(-1, -2);
  }
}
