package org.bmojo.kernels.contract;

import static org.bmojo.kernels.contract.Close.assertClose;
import static org.bmojo.kernels.contract.Close.assertNoWorse;
import static org.bmojo.kernels.contract.Close.assertSame;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;

/**
 * What is asked of every operation: the right answer, no less exact than the reference room's, the
 * same bits twice, and inputs left as they were.
 */
final class Trial {
  private Trial() {}

  /**
   * Tries an operation.
   *
   * @param inputs everything that the operation reads
   * @param op the room's operation
   * @param reference the reference room's
   * @param answer outputs and gradients by name, from an operation
   * @param truth the same names, in float64
   * @param length of the longest sum behind an element
   */
  static <O> void run(
      Map<String, Tensor> inputs,
      O op,
      O reference,
      Function<O, Map<String, Tensor>> answer,
      Map<String, Tensor> truth,
      long length) {
    Map<String, Tensor> before = new LinkedHashMap<>();
    inputs.forEach((name, t) -> before.put(name, t.clone()));
    Map<String, Tensor> mine = answer.apply(op);
    Map<String, Tensor> again = answer.apply(op);
    Map<String, Tensor> peer = answer.apply(reference);
    truth.forEach((name, wanted) -> {
      assertClose(name, get(mine, name), wanted, length);
      assertNoWorse(name, get(mine, name), get(peer, name), wanted);
      assertSame(name + " again", get(again, name), get(mine, name));
    });
    before.forEach((name, t) -> assertSame(name + " afterwards", get(inputs, name), t));
  }

  /** The tensor of that name. */
  static Tensor get(Map<String, Tensor> tensors, String name) {
    return Objects.requireNonNull(tensors.get(name), name);
  }
}
