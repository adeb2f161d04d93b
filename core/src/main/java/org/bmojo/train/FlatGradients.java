package org.bmojo.train;

import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.tape.Parameter;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * All gradients side by side, one tensor for each type of numbers (as a rule there is one): memory
 * that is asked for once.
 */
final class FlatGradients implements AutoCloseable {
  /** Elements that a gradient's start is rounded up to, for kernels that read whole vectors. */
  private static final long ALIGNMENT = 32;

  private final List<Owned> flat = new ArrayList<>();
  private final Collection<Parameter> parameters;

  /** Gives every parameter its place. */
  FlatGradients(Collection<Parameter> parameters) {
    this.parameters = List.copyOf(parameters);
    Map<ScalarType, List<Parameter>> byType = new LinkedHashMap<>();
    for (Parameter p : parameters) {
      ScalarType type = p.master().scalar_type().intern();
      byType.computeIfAbsent(type, _ -> new ArrayList<>()).add(p);
    }
    try (Scope scope = new Scope()) {
      for (List<Parameter> same : byType.values()) {
        long total = same.stream().mapToLong(p -> padded(p.master().numel())).sum();
        Tensor all = zeros(same.getFirst().master(), total);
        long from = 0;
        for (Parameter p : same) {
          long count = p.master().numel();
          p.gradientInto(all.narrow(0, from, count).view(Shapes.of(p.master())));
          from += padded(count);
        }
        flat.add(new Owned(all));
      }
    }
  }

  private static long padded(long count) {
    return Math.ceilDiv(count, ALIGNMENT) * ALIGNMENT;
  }

  /** Takes the places back, so that another optimizer may give others. */
  @Override
  public void close() {
    parameters.forEach(Parameter::forgetGradient);
    flat.forEach(Owned::close);
  }
}
