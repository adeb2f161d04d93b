package org.bmojo.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import org.bmojo.eval.RecallTrial;
import org.bmojo.io.FileTrouble;
import org.bmojo.train.Trainer;
import org.jspecify.annotations.Nullable;

/** {@code metrics.jsonl} of a recall run, or nothing where nothing is kept. */
final class RecallMetrics implements AutoCloseable {
  private final @Nullable Metrics file;
  private long before = System.nanoTime();

  private RecallMetrics(@Nullable Metrics file) {
    this.file = file;
  }

  /** In a folder, which is made; null for nowhere. */
  static RecallMetrics in(@Nullable RunFolder folder) {
    if (folder == null) return new RecallMetrics(null);
    try {
      Files.createDirectories(folder.path());
    } catch (IOException e) {
      throw FileTrouble.writing(folder.path(), e);
    }
    return new RecallMetrics(Metrics.after(folder.metrics(), 0));
  }

  void write(Trainer.Step step) {
    if (file == null) return;
    long now = System.nanoTime();
    file.write(
        new Metrics.Step(
            "step",
            step.number(),
            step.loss(),
            step.gradientNorm(),
            step.learningRate(),
            step.tokens(),
            (now - before) / 1e9,
            null,
            null,
            null));
    before = now;
  }

  void write(long step, List<RecallTrial.Test> tests) {
    if (file == null) return;
    for (RecallTrial.Test test : tests) file.write(new Metrics.Recall("recall", step, test));
  }

  @Override
  public void close() {
    if (file != null) file.close();
  }
}
