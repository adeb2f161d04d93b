package org.bmojo.kernels.contract;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The oracle: outputs of a composed forward pass in float64 and, by libtorch's autograd, the
 * gradients of every input.
 *
 * @param outputs in the order the forward returned them
 * @param gradients by the input's name; zeros where an input does not matter
 */
public record Autograd(List<Tensor> outputs, Map<String, Tensor> gradients) {
  /**
   * Runs {@code forward} on float64 copies of {@code inputs}.
   *
   * @param inputs by name, of any type and device
   * @param forward from the copies, under the same names, to the outputs
   * @param cotangents one for each output that matters, in order: the loss is the sum of their
   *     products
   */
  public static Autograd of(
      Map<String, Tensor> inputs,
      Function<Map<String, Tensor>, List<Tensor>> forward,
      Tensor... cotangents) {
    Map<String, Tensor> leaves = new LinkedHashMap<>();
    inputs.forEach((name, t) -> leaves.put(name, leaf(t)));
    List<Tensor> outputs = forward.apply(leaves);
    Tensor loss = torch.zeros(new long[0], leaves.values().iterator().next().options());
    for (int i = 0; i < cotangents.length; i++) {
      loss = loss.add(outputs.get(i).mul(wide(cotangents[i])).sum());
    }
    loss.backward();
    Map<String, Tensor> gradients = new LinkedHashMap<>();
    leaves.forEach(
        (name, t) -> gradients.put(name, t.grad().defined() ? t.grad() : torch.zeros_like(t)));
    return new Autograd(outputs.stream().map(Tensor::detach).toList(), gradients);
  }

  /** The gradient of the input of that name. */
  public Tensor gradient(String name) {
    Tensor g = gradients.get(name);
    if (g == null) throw new IllegalArgumentException("no input " + name);
    return g;
  }

  private static Tensor leaf(Tensor t) {
    return wide(t).clone().requires_grad_(true);
  }

  private static Tensor wide(Tensor t) {
    return t.detach().to(new Device("cpu"), ScalarType.Double);
  }
}
