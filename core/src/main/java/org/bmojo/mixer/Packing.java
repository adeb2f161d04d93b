package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.List;
import org.bmojo.kernels.op.Documents;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;

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

  /** Logarithms of decays (B, T, H), −∞ where a document begins: nothing is left from before. */
  Var forgetting(Tape tape, Var logDecay) {
    Tensor where = firsts.unsqueeze(-1);
    return TorchFunction.apply(
        tape, t -> t[0].masked_fill(where, scalar(Double.NEGATIVE_INFINITY)), logDecay);
  }

  /** What tokens (B, T, d) were handed from {@code back} tokens ago; zero from another document. */
  Tensor own(Tensor earlier, long back) {
    Tensor strange = Documents.sees(begin, back).logical_not();
    return earlier.masked_fill(strange.unsqueeze(-1), scalar(0));
  }
}
