package org.bmojo.kernels.contract;

import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Gradients by central differences in float64, good to about eight digits. */
public final class FiniteDifferences {
  private static final double STEP = 1e-5;

  private FiniteDifferences() {}

  /**
   * The gradient with respect to {@code input}, whose elements are moved one at a time and put
   * back.
   *
   * @param input contiguous float64 that {@code loss} reads
   * @param loss a number, as a tensor, anew at every call
   */
  public static Tensor of(Tensor input, Supplier<Tensor> loss) {
    Tensor flat = input.view(-1); // shares memory
    Tensor gradient = torch.zeros_like(input);
    for (long i = 0; i < input.numel(); i++) {
      Tensor element = flat.select(0, i);
      double value = element.item_double();
      element.fill_(scalar(value + STEP));
      double above = loss.get().item_double();
      element.fill_(scalar(value - STEP));
      double below = loss.get().item_double();
      element.fill_(scalar(value));
      gradient.view(-1).select(0, i).fill_(scalar((above - below) / (2 * STEP)));
    }
    return gradient;
  }
}
