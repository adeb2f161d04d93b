package org.bmojo.model;

import static org.bmojo.kernels.torch.Shapes.ANY;
import static org.bmojo.kernels.torch.Shapes.expect;
import static org.bmojo.kernels.torch.Shapes.expectBegin;

import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Sequences and what should follow each token.
 *
 * @param ids (B, T) int64
 * @param targets (B, T) int64, {@link LinearCrossEntropy#IGNORED} where there is no label
 * @param labelled how many targets are not ignored
 * @param begin (B, T) int32: the token of the row with which each token's document begins, negative
 *     where that is before the row; null for one document a row. Documents know nothing of each
 *     other
 */
public record Batch(Tensor ids, Tensor targets, long labelled, @Nullable Tensor begin) {
  /** One document a row. */
  public Batch(Tensor ids, Tensor targets, long labelled) {
    this(ids, targets, labelled, null);
  }

  /** Every target of {@code next} counts. */
  public static Batch of(org.bmojo.data.Batch next) {
    return new Batch(next.inputs(), next.targets(), next.inputs().numel(), next.begin());
  }

  /** Refuses shapes that differ. */
  public Batch {
    expect("batch", "ids", ids, ANY, ANY);
    expect("batch", "targets", targets, ids.size(0), ids.size(1));
    if (begin != null) expectBegin("batch", begin, ids.size(0), ids.size(1));
  }

  /**
   * From arrays, row after row.
   *
   * @param ids rows · T ids
   * @param targets as many targets
   */
  public static Batch of(long[] ids, long[] targets, int rows) {
    long labelled = 0;
    for (long t : targets) if (t != LinearCrossEntropy.IGNORED) labelled++;
    return new Batch(matrix(ids, rows), matrix(targets, rows), labelled);
  }

  /** Tokens in the batch. */
  public long tokens() {
    return ids.numel();
  }

  private static Tensor matrix(long[] values, int rows) {
    // The array's copy in native memory is freed with the pointer, so the tensor needs its own.
    try (LongPointer pointer = new LongPointer(values)) {
      long[] shape = {rows, values.length / rows};
      return torch.from_blob(pointer, shape, new TensorOptions(ScalarType.Long)).clone();
    }
  }
}
