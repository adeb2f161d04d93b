package org.bmojo.kernels.cpu;

import org.bmojo.kernels.op.GatedDelta;
import org.bmojo.kernels.op.Ssd;
import org.bmojo.kernels.torch.Floats;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The inputs of SSD or of the gated delta rule as memory.
 *
 * @param beta null for SSD
 */
record HeadInputs(
    HeadLayout layout,
    Floats q,
    Floats k,
    Floats v,
    @Nullable Floats beta,
    Floats g,
    @Nullable Floats initial,
    @Nullable DocumentRows documents) {

  static HeadInputs of(Ssd.Inputs in) {
    return of(in.q(), in.k(), in.v(), null, in.g(), in.initial(), in.begin());
  }

  static HeadInputs of(GatedDelta.Inputs in) {
    return of(in.q(), in.k(), in.v(), in.beta(), in.g(), in.initial(), in.begin());
  }

  private static HeadInputs of(
      Tensor q,
      Tensor k,
      Tensor v,
      @Nullable Tensor beta,
      Tensor g,
      @Nullable Tensor initial,
      @Nullable Tensor begin) {
    return new HeadInputs(
        HeadLayout.of(q, v),
        Floats.of(q),
        Floats.of(k),
        Floats.of(v),
        beta == null ? null : Floats.of(beta),
        Floats.of(g),
        initial == null ? null : Floats.of(initial),
        DocumentRows.of(begin));
  }

  /** What {@code token} leaves of the state before it: nothing where it begins a document. */
  float decay(int task, int token) {
    if (documents != null && documents.beginsAt(layout.sequence(task), token)) return 0;
    return (float) Math.exp(g.get(layout.numberAt(task, token)));
  }

  /** How strongly {@code token} corrects, under the delta rule. */
  float strength(int task, int token) {
    return beta == null ? 1 : beta.get(layout.numberAt(task, token));
  }
}
