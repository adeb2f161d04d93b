package org.bmojo.tape;

import static org.bmojo.kernels.contract.Close.assertWithin;
import static org.bmojo.tape.Tape.inputs;
import static org.bmojo.tape.Tape.keeping;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.bmojo.kernels.contract.Autograd;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.contract.FiniteDifferences;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;

/**
 * One operation twice: as the tape has it, and composed of libtorch's own.
 *
 * @param name for messages
 * @param ours on a tape
 * @param composed the same function in libtorch
 */
public record Twin(
    String name, BiFunction<Tape, Parameter[], Var> ours, Function<Tensor[], Tensor> composed) {
  /** Value and all gradients, of the sum of the outputs weighted at random. */
  void check(Tensor... values) {
    Parameter[] parameters =
        Arrays.stream(values).map(Parameter::decaying).toArray(Parameter[]::new);
    try (Scope scope = new Scope();
        Tape tape = Tape.recording()) {
      Var y;
      // What an operation made on the way is gone when its backward runs, but for what it named.
      try (Scope forward = new Scope()) {
        y = ours.apply(tape, parameters);
        forward.keep(y.value());
      }
      Tensor dy = new Draw(7).normal(Shapes.of(y.value()));
      Autograd wanted = Autograd.of(named(values), in -> List.of(composed.apply(array(in))), dy);
      assertWithin(name, y.value(), wanted.outputs().getFirst(), 1e-12);
      tape.backward(weighted(tape, y, dy), 1);
      for (int i = 0; i < values.length; i++) {
        String input = name + ", gradient of input " + i;
        Tensor gradient = Objects.requireNonNull(parameters[i].gradient(), input);
        assertWithin(input, gradient, wanted.gradient("" + i), 1e-11);
        Tensor differences =
            FiniteDifferences.of(
                values[i], () -> ours.apply(Tape.off(), parameters).value().mul(dy).sum());
        assertWithin(input + " by differences", gradient, differences, 1e-7);
      }
    } finally {
      for (Parameter p : parameters) p.close();
    }
  }

  /** Σ y·dy, whose gradient with respect to y is dy. */
  public static Var weighted(Tape tape, Var y, Tensor dy) {
    return tape.record(
        y.value().mul(dy).sum(), inputs(y), keeping(dy), g -> y.addGradient(dy.mul(g)));
  }

  private static Map<String, Tensor> named(Tensor[] values) {
    Map<String, Tensor> named = new LinkedHashMap<>();
    for (int i = 0; i < values.length; i++) named.put("" + i, values[i]);
    return named;
  }

  private static Tensor[] array(Map<String, Tensor> named) {
    return named.values().toArray(Tensor[]::new);
  }
}
