package org.bmojo.train;

import java.util.List;
import org.bmojo.data.BatchSource;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Batch;
import org.bmojo.model.LanguageModel;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;

/**
 * The training loop: batch, loss, gradients, clip, update. Whatever else happens is the caller's.
 */
public final class Trainer implements AutoCloseable {
  /**
   * One update.
   *
   * @param number from 1
   * @param loss mean cross-entropy per labelled token, nats
   * @param gradientNorm before clipping
   * @param learningRate of this update
   * @param tokens read for it
   */
  public record Step(
      long number, double loss, double gradientNorm, double learningRate, long tokens) {}

  /** Makes the batches of one update, in the caller's scope; more than one are accumulated. */
  public interface BatchSupplier {
    /** The batches of update {@code number}. */
    List<Batch> batches(long number);
  }

  /** Is handed every update as it happens: to print, evaluate, save or stop. */
  public interface Listener {
    /** Returns whether to go on. */
    boolean stepped(Step step);
  }

  private final LanguageModel model;
  private final Optimizer optimizer;
  private final Schedule schedule;

  /** Trains {@code model} in place. */
  public Trainer(LanguageModel model, Optimizer.Settings settings, Schedule schedule) {
    this.model = model;
    this.optimizer = new Optimizer(model.parameters(), settings);
    this.schedule = schedule;
  }

  /** The optimizer, for checkpoints. */
  public Optimizer optimizer() {
    return optimizer;
  }

  /** The same with one batch an update, taken from {@code data}. */
  public void run(BatchSource data, Listener listener) {
    run(
        _ -> {
          var next = data.next();
          return List.of(new Batch(next.inputs(), next.targets(), next.inputs().numel()));
        },
        listener);
  }

  /** Runs until the schedule's last step or until the listener has had enough. */
  public void run(BatchSupplier data, Listener listener) {
    while (optimizer.steps() < schedule.steps()) {
      if (!listener.stepped(step(data))) return;
    }
  }

  /**
   * One update.
   *
   * @throws DivergedException if the loss or the gradient is no longer finite; nothing was updated
   */
  public Step step(BatchSupplier data) {
    long number = optimizer.steps() + 1;
    double loss = 0;
    long tokens = 0;
    try (Scope scope = new Scope()) {
      List<Batch> batches = data.batches(number);
      long labelled = batches.stream().mapToLong(Batch::labelled).sum();
      for (Batch batch : batches) {
        // Every labelled token counts the same, whatever batch it came in.
        double share = (double) batch.labelled() / Math.max(1, labelled);
        try (Scope pass = new Scope();
            Tape tape = Tape.recording()) {
          Var mean = model.loss(tape, batch);
          loss += mean.value().item_double() * share;
          tokens += batch.tokens();
          tape.backward(mean, share);
        }
      }
    }
    double rate = schedule.rate(number);
    if (!Double.isFinite(loss)) {
      optimizer.clearGradients();
      throw new DivergedException("loss", loss, number, rate);
    }
    double norm = optimizer.step(rate);
    if (!Double.isFinite(norm)) throw new DivergedException("gradient norm", norm, number, rate);
    return new Step(number, loss, norm, rate, tokens);
  }

  @Override
  public void close() {
    optimizer.close();
  }
}
