package org.bmojo.model;

import org.bmojo.error.BadInput;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Token ids as the tensors that models read. */
public final class Ids {
  private Ids() {}

  /**
   * One sequence a row.
   *
   * @return (B, T) int64 on the CPU, in the caller's scope
   * @throws BadInput if the rows are of several lengths
   */
  public static Tensor tensor(int[]... rows) {
    int length = rows.length == 0 ? 0 : rows[0].length;
    long[] flat = new long[rows.length * length];
    for (int r = 0; r < rows.length; r++) {
      if (rows[r].length != length) {
        throw new BadInput(
            "sequence %d has %d ids, the first %d".formatted(r + 1, rows[r].length, length),
            "expected all of one length",
            "Cut them to one length, or pass them one at a time");
      }
      for (int t = 0; t < length; t++) flat[r * length + t] = rows[r][t];
    }
    // The array's copy in native memory is freed with the pointer, so the tensor needs its own.
    try (LongPointer pointer = new LongPointer(flat)) {
      long[] shape = {rows.length, length};
      return torch.from_blob(pointer, shape, new TensorOptions(ScalarType.Long)).clone();
    }
  }
}
