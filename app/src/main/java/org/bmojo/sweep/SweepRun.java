package org.bmojo.sweep;

import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import org.bmojo.eval.RecallTrial;
import org.bmojo.kernels.torch.NativeThreads;
import org.bmojo.model.Placement;
import org.bmojo.train.DivergedException;
import org.bmojo.train.Trainer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Runs those trials of a sweep that its journal does not have yet, several at a time. */
public final class SweepRun {
  private static final Logger LOG = LoggerFactory.getLogger(SweepRun.class);

  /** Is told what happens, by several threads. */
  public interface Observer {
    /** Tokens were read, of training or of tests. */
    void advanced(long tokens);

    /** A trial came to its end and is in the journal. */
    void finished(SweepTrial trial, Outcome outcome);
  }

  private final Sweep sweep;
  private final Journal journal;
  private final Placement placement;
  private final @Nullable String commit;
  private final Observer observer;
  private final BooleanSupplier stop;
  private final Queue<RuntimeException> defects = new ConcurrentLinkedQueue<>();
  private volatile boolean failed;

  /**
   * Prepares a run.
   *
   * @param placement where to compute
   * @param commit of this program, for the lines; null where that is not known
   * @param stop asked after every update; trials under way then end without a line
   */
  public SweepRun(
      Sweep sweep,
      Journal journal,
      Placement placement,
      @Nullable String commit,
      Observer observer,
      BooleanSupplier stop) {
    this.sweep = sweep;
    this.journal = journal;
    this.placement = placement;
    this.commit = commit;
    this.observer = observer;
    this.stop = stop;
  }

  /** The trials that are not in the journal. */
  public List<SweepTrial> pending() {
    return sweep.trials().stream().filter(t -> !journal.has(t.key())).toList();
  }

  /**
   * Runs them all, or until {@code stop}. A trial that breaks ends without a line; the others go
   * on, and the first defect is thrown at the end.
   *
   * @param workers trials at a time; each gets its share of libtorch's threads
   */
  public void run(int workers) {
    int threads = Math.max(1, Runtime.getRuntime().availableProcessors() / workers);
    try (ExecutorService pool =
        Executors.newFixedThreadPool(workers, Thread.ofPlatform().name("trial-", 1).factory())) {
      var done = new ExecutorCompletionService<Boolean>(pool);
      List<Future<Boolean>> all = new ArrayList<>();
      for (SweepTrial trial : pending()) {
        all.add(
            done.submit(() -> {
              if (ending()) return false;
              NativeThreads.set(threads);
              placement.ownStream();
              return attempt(trial);
            }));
      }
      for (int i = 0; i < all.size(); i++) take(done);
    }
    RuntimeException first = defects.poll();
    if (first == null) return;
    defects.forEach(first::addSuppressed);
    throw first;
  }

  private boolean attempt(SweepTrial trial) {
    try {
      return run(trial);
    } catch (RuntimeException e) {
      LOG.error("{} broke", trial.label(), e);
      defects.add(e);
      return false;
    }
  }

  private void take(ExecutorCompletionService<Boolean> done) {
    try {
      done.take().get();
    } catch (ExecutionException e) {
      failed = true; // The others stop; what they finished is in the journal.
      if (e.getCause() instanceof RuntimeException cause) throw cause;
      if (e.getCause() instanceof Error cause) throw cause;
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      failed = true;
      Thread.currentThread().interrupt();
    }
  }

  private boolean ending() {
    return failed || stop.getAsBoolean();
  }

  /** Returns whether the trial came to its end. */
  private boolean run(SweepTrial trial) {
    long[] tokens = {0};
    Trainer.Listener listener =
        step -> {
          tokens[0] += step.tokens();
          observer.advanced(step.tokens());
          return !ending();
        };
    RecallTrial.Trained trained;
    try {
      trained = trial.trial().train(placement, listener);
    } catch (DivergedException e) {
      add(trial, Outcome.failed(trial, origin(), tokens[0], e));
      return true;
    }
    try (trained) {
      if (ending()) return false;
      long began = System.nanoTime();
      List<RecallTrial.Test> tests = trial.trial().test(trained, observer::advanced);
      double seconds = (System.nanoTime() - began) / 1e9;
      add(trial, Outcome.of(trial, origin(), tokens[0], trained, tests, seconds));
      return true;
    }
  }

  private Outcome.Origin origin() {
    return new Outcome.Origin(sweep.name(), commit, placement.device());
  }

  private void add(SweepTrial trial, Outcome outcome) {
    journal.add(outcome);
    observer.finished(trial, outcome);
  }
}
