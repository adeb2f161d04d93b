package org.bmojo.tape;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;

/**
 * The adapter between libtorch's autograd and the tape: any differentiable composition of libtorch
 * calls becomes one operation, without a backward of its own. For experiments and for what is
 * rarely hot; a composition costs more time and memory than an operation written for the tape.
 *
 * <pre>{@code
 * Var y = TorchFunction.apply(tape, in -> in[0].tanh().mul(in[1]), a, b);
 * }</pre>
 */
public final class TorchFunction {
  private TorchFunction() {}

  /**
   * Runs {@code function} on the inputs' values.
   *
   * @param function composes libtorch operations on the tensors it is given, in the order of {@code
   *     inputs}; constants it captures get no gradient
   */
  public static Var apply(Tape tape, Function<Tensor[], Tensor> function, Var... inputs) {
    List<Var> list = List.of(inputs);
    if (!tape.isRecording() || list.stream().noneMatch(Var::needsGradient)) {
      tape.reads(list);
      Tensor[] values = list.stream().map(Var::value).toArray(Tensor[]::new);
      try (Scope scope = new Scope()) {
        return Var.constant(scope.keep(function.apply(values)));
      }
    }
    try (Scope scope = new Scope()) {
      Tensor[] leaves = new Tensor[inputs.length];
      for (int i = 0; i < leaves.length; i++) {
        leaves[i] = inputs[i].value().detach();
        leaves[i].set_requires_grad(inputs[i].needsGradient());
      }
      Tensor output = scope.keep(function.apply(leaves));
      if (!output.requires_grad()) return Var.constant(output); // It made no use of them.
      Tensor plain = scope.keep(output.detach());
      List<Tensor> kept = new ArrayList<>(List.of(leaves));
      kept.add(output);
      kept.forEach(scope::keep);
      return tape.record(
          plain,
          list,
          kept,
          dy -> {
            output.backward(dy, new BoolOptional(), false, new TensorArrayRefOptional());
            for (int i = 0; i < leaves.length; i++) {
              // grad() is a reference into the leaf; detach() makes a handle that outlives it.
              Tensor gradient = leaves[i].grad();
              if (gradient.defined()) inputs[i].addGradient(gradient.detach());
            }
          });
    }
  }
}
