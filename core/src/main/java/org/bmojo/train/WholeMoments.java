package org.bmojo.train;

import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bmojo.kernels.op.AdamW;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.tape.Parameter;
import org.bytedeco.pytorch.Tensor;

/** All moments in one process: it needs nobody, and updates what has a gradient. */
final class WholeMoments implements Moments {
  private record Pair(Owned first, Owned second) {}

  private final Map<String, Parameter> parameters;
  private final double decay;
  private final Map<String, Pair> moments = new LinkedHashMap<>();
  private final FlatGradients gradients;
  private List<AdamW.Slot> slots = List.of();

  /** Starts from zeros. */
  WholeMoments(Map<String, Parameter> parameters, double decay) {
    this.parameters = parameters;
    this.decay = decay;
    try (Scope scope = new Scope()) {
      parameters.forEach((name, p) -> {
        p.own(); // Steps are written into the weights.
        Tensor w = p.master();
        long[] shape = Shapes.of(w);
        moments.put(name, new Pair(new Owned(zeros(w, shape)), new Owned(zeros(w, shape))));
      });
    }
    gradients = new FlatGradients(parameters.values());
  }

  @Override
  public List<AdamW.Slot> slots() {
    List<AdamW.Slot> found = new ArrayList<>();
    parameters.forEach((name, p) -> {
      Tensor gradient = p.gradient();
      Pair m = moments.get(name);
      if (gradient == null || m == null) return;
      Tensor copy = p.isMixed() ? p.value() : null;
      found.add(
          new AdamW.Slot(
              p.master(), copy, gradient, m.first.get(), m.second.get(), p.decays() ? decay : 0));
    });
    if (found.isEmpty()) throw new IllegalStateException("no parameter has a gradient");
    if (!found.equals(slots)) slots = List.copyOf(found);
    return slots;
  }

  @Override
  public void whole(Parameter p) {}

  @Override
  public void gather() {}

  @Override
  public void spread() {}

  @Override
  public void collect() {}

  @Override
  public Map<String, Tensor> state() {
    Map<String, Tensor> state = new LinkedHashMap<>();
    moments.forEach((name, m) -> {
      state.put(name + ".first", m.first.get());
      state.put(name + ".second", m.second.get());
    });
    return state;
  }

  @Override
  public void restored() {}

  @Override
  public void close() {
    for (Pair m : moments.values()) {
      m.first.close();
      m.second.close();
    }
    gradients.close();
  }
}
