package org.bmojo.kernels.cpu;

import org.bmojo.kernels.op.GatedRidge;
import org.bmojo.kernels.torch.Floats;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** What makes the matrices of the gated ridge, as memory. */
record RidgeInputs(
    HeadLayout layout,
    GatedRidge.Solver solver,
    Floats k,
    Floats g,
    @Nullable Floats initial,
    @Nullable DocumentRows documents) {

  static RidgeInputs of(GatedRidge.Inputs in) {
    Tensor initial = in.initial();
    return new RidgeInputs(
        HeadLayout.of(in.k(), in.k()),
        in.solver(),
        Floats.of(in.k()),
        Floats.of(in.g()),
        initial == null ? null : Floats.of(initial),
        DocumentRows.of(in.begin()));
  }

  /** What {@code token} leaves of the matrix before it: nothing where it begins a document. */
  double decay(int task, int token) {
    if (documents != null && documents.beginsAt(layout.sequence(task), token)) return 0;
    return Math.exp(g.get(layout.numberAt(task, token)));
  }
}
