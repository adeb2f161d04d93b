package org.bmojo.model;

import static org.bmojo.kernels.torch.Tensors.accumulated;

import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.PackedMatrix;
import org.bmojo.kernels.op.PackedMatrix.Format;
import org.bmojo.layer.Names;
import org.bmojo.tape.Parameter;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** What makes logits of the last hidden state: a matrix of its own, or the embedding's. */
final class Head implements Names.Named {
  private final Parameter weight; // (V, d)
  private final boolean tied;
  private @Nullable PackedMatrix packed;

  /**
   * A head.
   *
   * @param own (V, d); null to share {@code embedding}
   */
  Head(Parameter embedding, @Nullable Parameter own) {
    weight = own == null ? embedding : own;
    tied = own == null;
  }

  Parameter weight() {
    return weight;
  }

  /** Whether it shares the embedding's matrix. */
  boolean isTied() {
    return tied;
  }

  /** Its fewer bits; null for a model that is not packed. */
  @Nullable PackedMatrix packed() {
    return packed;
  }

  /** Keeps fewer bits. A matrix of its own was packed already, as all of a model's are. */
  void pack(Format format) {
    packed = tied ? PackedMatrix.of(weight.value(), format).retained() : weight.packed();
  }

  /** (…, d) → logits (…, V), float32 or float64. */
  Tensor logits(Tensor hidden) {
    if (packed == null) return accumulated(hidden.matmul(weight.value().t()));
    return accumulated(Kernels.of(hidden).packedLinear().forward(hidden, packed));
  }

  /** The matrix, unpacked if need be. */
  Tensor whole() {
    return packed == null ? weight.value() : packed.unpacked();
  }

  /** Frees fewer bits of its own; a matrix of its own frees itself. */
  void close() {
    if (packed != null && tied) packed.close();
    packed = null;
  }

  @Override
  public void name(Names names) {
    if (!tied) names.add("weight", weight);
  }
}
