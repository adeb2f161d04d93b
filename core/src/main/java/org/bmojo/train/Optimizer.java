package org.bmojo.train;

import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.AdamW;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.parallel.Group;
import org.bmojo.tape.Parameter;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** AdamW with clipping by the gradients' joint norm. */
public final class Optimizer implements AutoCloseable {
  /**
   * What stays the same over a run.
   *
   * @param beta1 memory of the gradient
   * @param beta2 memory of its square
   * @param eps added to the root of the square
   * @param decay weight decay of matrices, per unit learning rate; norms, biases and a state
   *     space's rates have none
   * @param clip largest joint norm of the gradients; 0 for none
   */
  public record Settings(double beta1, double beta2, double eps, double decay, double clip) {
    /** β (0.9, 0.95), decay 0.1, clip 1. */
    public static final Settings STANDARD = new Settings(0.9, 0.95, 1e-8, 0.1, 1);

    /** Refuses numbers that make no optimizer. */
    public Settings {
      boolean betas = beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1;
      if (!betas || !(eps > 0) || !(decay >= 0) || !(clip >= 0)) {
        throw new BadInput(
            "beta1 %s, beta2 %s, eps %s, decay %s, clip %s"
                .formatted(beta1, beta2, eps, decay, clip),
            "expected betas in [0, 1), eps > 0, decay and clip ≥ 0",
            "correct the options");
      }
    }
  }

  private record Moments(Owned first, Owned second) {}

  private final Settings settings;
  private final Map<String, Parameter> parameters;
  private final Map<String, Moments> moments = new LinkedHashMap<>();
  private final FlatGradients gradients;
  private List<AdamW.Slot> slots = List.of();
  private long steps;

  /** Starts from zero moments. */
  public Optimizer(Map<String, Parameter> parameters, Settings settings) {
    this.parameters = parameters;
    this.settings = settings;
    try (Scope scope = new Scope()) {
      parameters.forEach((name, p) -> {
        p.own(); // Steps are written into the weights.
        Tensor w = p.master();
        long[] shape = Shapes.of(w);
        moments.put(name, new Moments(new Owned(zeros(w, shape)), new Owned(zeros(w, shape))));
      });
    }
    gradients = new FlatGradients(parameters.values());
  }

  /** Updates taken so far. */
  public long steps() {
    return steps;
  }

  /**
   * One update from the gradients at hand, which are cleared.
   *
   * @return the gradients' joint norm before clipping; if it is not finite, nothing was updated
   */
  public double step(double learningRate) {
    try (Scope scope = new Scope()) {
      double norm = queue(learningRate, null, Double.POSITIVE_INFINITY).item_double();
      if (!Double.isFinite(norm)) undo();
      return norm;
    }
  }

  /**
   * The same without waiting for a GPU: the update counts, whatever the norm turns out to be.
   *
   * @param loss a scalar that must be finite as well for anything to be updated, or null
   * @param limit and no greater than this
   * @return the norm, a float64 scalar where the gradients are; NaN if the loss is not finite or
   *     too great
   */
  Tensor queue(double learningRate, @Nullable Tensor loss, double limit) {
    try (Scope scope = new Scope()) {
      List<AdamW.Slot> now = slots();
      AdamW adamW = Kernels.of(now.getFirst().weight()).adamW();
      Tensor norm = adamW.gradientNorm(now);
      if (loss != null) norm = norm.add(loss.mul(scalar(0)));
      if (loss != null && Double.isFinite(limit)) {
        norm = norm.masked_fill(loss.gt(new Scalar(limit)), new Scalar(Double.NaN));
      }
      steps++;
      var all =
          new AdamW.Settings(
              learningRate, settings.beta1, settings.beta2, settings.eps, steps, settings.clip);
      adamW.step(now, all, norm);
      clearGradients();
      return scope.keep(norm);
    }
  }

  /** Adds up the gradients of all processes. */
  void sumOver(Group group) {
    gradients.sumOver(group);
  }

  /** Takes an update back that turned out to have changed nothing. */
  void undo() {
    steps--;
  }

  /** What has a gradient: the same list as long as these are the same. */
  private List<AdamW.Slot> slots() {
    List<AdamW.Slot> found = new ArrayList<>();
    parameters.forEach((name, p) -> {
      Tensor gradient = p.gradient();
      Moments m = moments.get(name);
      if (gradient == null || m == null) return;
      double decay = p.decays() ? settings.decay : 0;
      Tensor copy = p.isMixed() ? p.value() : null;
      found.add(new AdamW.Slot(p.master(), copy, gradient, m.first.get(), m.second.get(), decay));
    });
    if (found.isEmpty()) throw new IllegalStateException("no parameter has a gradient");
    if (!found.equals(slots)) slots = List.copyOf(found);
    return slots;
  }

  /** Forgets the gradients at hand. */
  public void clearGradients() {
    parameters.values().forEach(Parameter::clearGradient);
  }

  /** The moments by name, {@code NAME.first} and {@code NAME.second}: what a checkpoint keeps. */
  public Map<String, Tensor> state() {
    Map<String, Tensor> state = new LinkedHashMap<>();
    moments.forEach((name, m) -> {
      state.put(name + ".first", m.first.get());
      state.put(name + ".second", m.second.get());
    });
    return state;
  }

  /** Continues after {@code steps} updates, the moments having been filled in. */
  public void resumeAt(long steps) {
    this.steps = steps;
  }

  @Override
  public void close() {
    for (Moments m : moments.values()) {
      m.first.close();
      m.second.close();
    }
    gradients.close();
  }
}
