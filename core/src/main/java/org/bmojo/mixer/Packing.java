package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.List;
import org.bmojo.kernels.op.Documents;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Rows that hold several documents, which are not to know of each other: where each begins, in the
 * forms that the parts of a layer want. Made once for all layers of a pass.
 *
 * @param begin (B, T) int32, as {@link org.bmojo.kernels.op} describes it
 * @param firsts (B, T) bool, which tokens begin a document
 */
public record Packing(Tensor begin, Tensor firsts) {
  /** From what a batch tells, on the device of the model. */
  public static Packing of(Tensor begin) {
    return new Packing(begin, Documents.firsts(begin));
  }

  /** All that backward passes read. */
  public List<Tensor> tensors() {
    return List.of(begin, firsts);
  }

  /** The bare tensor, as operations take it. */
  static @Nullable Tensor begin(@Nullable Packing packing) {
    return packing == null ? null : packing.begin;
  }

  /** What tokens (B, T, d) were handed from {@code back} tokens ago; zero from another document. */
  Tensor own(Tensor earlier, long back) {
    Tensor strange = Documents.sees(begin, back).logical_not();
    return earlier.masked_fill(strange.unsqueeze(-1), scalar(0));
  }
}
