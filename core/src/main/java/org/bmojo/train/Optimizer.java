package org.bmojo.train;

import java.util.List;
import java.util.Map;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.AdamW;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.parallel.Group;
import org.bmojo.tape.Parameter;
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

  private final Settings settings;
  private final Map<String, Parameter> parameters;
  private final Moments moments;
  private long steps;

  /** Starts from zero moments. */
  public Optimizer(Map<String, Parameter> parameters, Settings settings) {
    this(parameters, settings, null);
  }

  /**
   * Starts from zero moments, which the processes of {@code group} share out among themselves: all
   * make the same calls.
   */
  Optimizer(Map<String, Parameter> parameters, Settings settings, @Nullable Group group) {
    this.settings = settings;
    this.parameters = parameters;
    moments =
        group == null
            ? new WholeMoments(parameters, settings.decay)
            : new ShardedMoments(parameters, settings.decay, group);
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
      Tensor norm = gradientNorm();
      queue(learningRate, norm);
      double waited = norm.item_double();
      if (!Double.isFinite(waited)) undo();
      return waited;
    }
  }

  /** Nothing more flows to {@code p} in this update: processes may begin to sum its gradient. */
  void whole(Parameter p) {
    moments.whole(p);
  }

  /**
   * The norm of the gradients that this process updates with: of all processes' sums, for its part.
   *
   * @return a float64 scalar where the gradients are
   */
  Tensor gradientNorm() {
    try (Scope scope = new Scope()) {
      moments.gather();
      List<AdamW.Slot> slots = moments.slots();
      return scope.keep(Kernels.of(slots.getFirst().weight()).adamW().gradientNorm(slots));
    }
  }

  /**
   * One update without waiting for a GPU: it counts, whatever the norm turns out to be.
   *
   * @param norm of all gradients, a float64 scalar where they are; where it is no finite number,
   *     nothing is updated
   */
  void queue(double learningRate, Tensor norm) {
    try (Scope scope = new Scope()) {
      List<AdamW.Slot> slots = moments.slots();
      steps++;
      Kernels.of(slots.getFirst().weight()).adamW().step(slots, numbers(learningRate), norm);
      moments.spread();
      clearGradients();
    }
  }

  /**
   * The same as one of the operations of a {@link RecordedUpdate}, which runs often: it counts in
   * {@link #next}.
   *
   * @param varying (4) float64, where the gradients are: what {@link #next} returns for an update
   */
  void queueRecorded(Tensor varying, Tensor norm) {
    try (Scope scope = new Scope()) {
      List<AdamW.Slot> slots = moments.slots();
      Kernels.of(slots.getFirst().weight()).adamW().step(slots, numbers(0), norm, varying);
      clearGradients();
    }
  }

  /** Counts an update that is recorded; returns the numbers that it is to read. */
  double[] next(double learningRate) {
    steps++;
    return numbers(learningRate).varying();
  }

  private AdamW.Settings numbers(double learningRate) {
    Settings s = settings;
    return new AdamW.Settings(learningRate, s.beta1, s.beta2, s.eps, Math.max(1, steps), s.clip);
  }

  /** Takes an update back that turned out to have changed nothing. */
  void undo() {
    steps--;
  }

  /** Forgets the gradients at hand. */
  public void clearGradients() {
    parameters.values().forEach(Parameter::clearGradient);
  }

  /**
   * Has the first process's weights and {@link #state} whole until the next update, whatever other
   * processes have of them; all must call it.
   */
  public void collect() {
    moments.collect();
  }

  /**
   * The moments by name, {@code NAME.first} and {@code NAME.second}: what a checkpoint keeps. Among
   * processes {@link #collect} comes first.
   */
  public Map<String, Tensor> state() {
    return moments.state();
  }

  /** Continues after {@code steps} updates, the moments having been filled in. */
  public void resumeAt(long steps) {
    this.steps = steps;
    moments.restored();
  }

  @Override
  public void close() {
    moments.close();
  }
}
