package org.bmojo.model;

import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Recording;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.MemoryFormatOptional;
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

  /** One id of each sequence, (B, 1) int64 on the CPU. */
  public static Tensor column(int... ids) {
    int[][] rows = new int[ids.length][];
    for (int r = 0; r < ids.length; r++) rows[r] = new int[] {ids[r]};
    return tensor(rows);
  }

  /**
   * Numbers on a device; to a GPU by way of pinned memory, so that nobody waits.
   *
   * @throws IllegalStateException while work is recorded, which would go on with these numbers
   */
  static Tensor on(Device device, Tensor numbers, ScalarType type) {
    if (numbers.device().equals(device)) return numbers;
    Recording.refuse("a copy of ids from the host");
    Tensor from = numbers.device().is_cpu() && device.is_cuda() ? numbers.pin_memory() : numbers;
    return from.to(device, type, true, false, new MemoryFormatOptional());
  }

  /**
   * Refuses ids that no embedding has.
   *
   * @param ids on a GPU they are not looked at, which would wait for it: its kernels check
   * @throws BadInput naming the first found
   */
  static void refuseForeign(Tensor ids, int vocabulary) {
    if (ids.numel() == 0) {
      throw new BadInput("no ids", "expected at least one", "pass a sequence");
    }
    if (!ids.device().is_cpu()) return;
    try (Scope _ = new Scope()) {
      long low = ids.min().item_long(), high = ids.max().item_long();
      if (low >= 0 && high < vocabulary) return;
      throw new BadInput(
          "token id " + (low < 0 ? low : high),
          "expected 0 to " + (vocabulary - 1),
          "use the tokenizer that the model was trained with");
    }
  }

  /**
   * The place of the largest of each row of logits (B, V), the first of equals.
   *
   * @throws BadInput if one is not a number
   */
  static int[] likeliest(Tensor logits) {
    try (Scope _ = new Scope()) {
      Floats values = Floats.of(logits.to(ScalarType.Float).cpu());
      int rows = (int) logits.size(0), vocabulary = (int) logits.size(1);
      int[] best = new int[rows];
      for (int r = 0; r < rows; r++) {
        long from = (long) r * vocabulary;
        for (int i = 0; i < vocabulary; i++) {
          float own = values.get(from + i);
          if (Float.isNaN(own)) throw notNumbers();
          if (own > values.get(from + best[r])) best[r] = i;
        }
      }
      return best;
    }
  }

  /** What is said of a model whose logits are NaN. */
  static BadInput notNumbers() {
    return new BadInput(
        "the model's logits are not numbers",
        "expected weights that training left finite",
        "Use an earlier checkpoint, trained with a lower learning rate");
  }
}
