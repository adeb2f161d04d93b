package org.bmojo.cli;

import java.io.OutputStream;
import java.io.PrintStream;
import java.time.Duration;
import java.util.Locale;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarConsumer;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/**
 * How far a task is, on standard error. Nothing is shown in its first two seconds; then a bar where
 * a person looks at a terminal, and a plain line every half minute where the output is kept.
 *
 * <pre>{@code
 * try (Progress progress = Progress.of("training", steps)) {
 *   for (long i = 0; i < steps; i++) {
 *     progress.note("loss %.3f".formatted(step()));
 *     progress.advance(1);
 *   }
 * }
 * }</pre>
 *
 * <p>Threads may share one.
 */
public final class Progress implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(2);
  private static final Duration BETWEEN_LINES = Duration.ofSeconds(30);

  private final String task;
  private final long total;
  private final @Nullable Supplier<ProgressBarConsumer> terminal;
  private final PrintStream lines;
  private final LongSupplier nanoTime;
  private final long start;

  private long done;
  private String note = "";
  private long nextLine;
  private boolean lineShown;
  private @Nullable ProgressBar bar;

  /**
   * @param total how many steps there are, or -1 where that is not known
   */
  public static Progress of(String task, long total) {
    PrintStream err = System.err;
    boolean person = Terminal.isTerminal(Terminal.STDERR);
    return new Progress(
        task,
        total,
        person ? () -> new ConsoleProgressBarConsumer(err) : null,
        err,
        System::nanoTime);
  }

  /** Tells nobody: for one of several processes that do the same. */
  static Progress untold(String task, long total) {
    PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream());
    return new Progress(task, total, null, nowhere, System::nanoTime);
  }

  /**
   * @param terminal draws the bar, asked for when there is one to draw; null for plain lines
   */
  Progress(
      String task,
      long total,
      @Nullable Supplier<ProgressBarConsumer> terminal,
      PrintStream lines,
      LongSupplier nanoTime) {
    this.task = task;
    this.total = total;
    this.terminal = terminal;
    this.lines = lines;
    this.nanoTime = nanoTime;
    start = nanoTime.getAsLong();
    nextLine = start + PATIENCE.toNanos();
  }

  /** {@code steps} more are done. */
  public synchronized void advance(long steps) {
    done += steps;
    long now = nanoTime.getAsLong();
    if (bar != null) {
      bar.stepTo(done);
    } else if (now - nextLine >= 0) {
      if (terminal == null) {
        printLine(now);
      } else {
        bar = open(terminal.get(), Duration.ofNanos(now - start));
      }
    }
  }

  /** A few words beside the bar, such as the loss; they stay until the next ones. */
  public synchronized void note(String words) {
    note = words;
    if (bar != null) bar.setExtraMessage(words);
  }

  /** Prints lines of their own, above the bar where there is one. */
  public synchronized void say(String words) {
    // Back to the line's start and clear it: the bar draws itself anew below.
    if (bar != null) lines.print("\r\033[2K");
    lines.println(words);
  }

  /** Ends the bar, or the plain lines with a last one. */
  @Override
  public synchronized void close() {
    if (bar != null) bar.close();
    if (lineShown) printLine(nanoTime.getAsLong());
  }

  private ProgressBar open(ProgressBarConsumer consumer, Duration elapsed) {
    return ProgressBar.builder()
        .setTaskName(task)
        .setInitialMax(total)
        .startsFrom(done, elapsed)
        .setStyle(ProgressBarStyle.ASCII)
        .setUpdateIntervalMillis(200)
        .setConsumer(consumer)
        .build()
        .setExtraMessage(note);
  }

  private void printLine(long now) {
    long seconds = Duration.ofNanos(now - start).toSeconds();
    StringBuilder line = new StringBuilder(task).append(": ").append(done);
    if (total > 0) {
      line.append(String.format(Locale.ROOT, " of %d (%d%%)", total, 100 * done / total));
    }
    line.append(String.format(Locale.ROOT, ", %d:%02d", seconds / 60, seconds % 60));
    if (!note.isEmpty()) line.append(", ").append(note);
    lines.println(line);
    lineShown = true;
    nextLine = now + BETWEEN_LINES.toNanos();
  }
}
