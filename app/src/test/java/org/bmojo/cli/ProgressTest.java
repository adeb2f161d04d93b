package org.bmojo.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import org.junit.jupiter.api.Test;

/** Time is a variable here, so nothing depends on how fast the machine is. */
class ProgressTest {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final PrintStream err = new PrintStream(bytes, true, UTF_8);
  private long now = Long.MAX_VALUE - 7; // System.nanoTime may overflow.

  @Test
  void shortTasksShowNothing() {
    try (Progress progress = plain("loading", 3)) {
      for (int i = 0; i < 3; i++) {
        seconds(0.6);
        progress.advance(1);
      }
    }
    assertThat(lines()).isEmpty();
  }

  @Test
  void longTasksShowALineNowAndThenAndALastOne() {
    try (Progress progress = plain("training", 200)) {
      for (int i = 0; i < 200; i++) {
        seconds(0.5);
        progress.note("loss " + i);
        progress.advance(1);
      }
    }
    assertThat(lines())
        .containsExactly(
            "training: 4 of 200 (2%), 0:02, loss 3",
            "training: 64 of 200 (32%), 0:32, loss 63",
            "training: 124 of 200 (62%), 1:02, loss 123",
            "training: 184 of 200 (92%), 1:32, loss 183",
            "training: 200 of 200 (100%), 1:40, loss 199");
  }

  @Test
  void anUnknownTotalIsLeftOut() {
    try (Progress progress = plain("reading", -1)) {
      seconds(65);
      progress.advance(13);
    }
    assertThat(lines()).containsExactly("reading: 13, 1:05", "reading: 13, 1:05");
  }

  @Test
  void aTerminalGetsABarAfterTwoSecondsAndNoLines() {
    List<String> drawn = new ArrayList<>();
    int[] opened = {0};
    try (Progress progress =
        new Progress(
            "training",
            10,
            () -> {
              opened[0]++;
              return new DelegatingProgressBarConsumer(drawn::add, 100);
            },
            err,
            () -> now)) {
      seconds(1);
      progress.advance(2);
      assertThat(opened[0]).isZero();
      seconds(1.5);
      progress.note("loss 1.5");
      progress.advance(3);
      progress.advance(5);
    }
    assertThat(opened[0]).isOne();
    assertThat(drawn).isNotEmpty();
    assertThat(drawn.getLast()).contains("training", "10/10", "loss 1.5");
    assertThat(lines()).isEmpty();
  }

  private Progress plain(String task, long total) {
    return new Progress(task, total, null, err, () -> now);
  }

  private void seconds(double seconds) {
    now += (long) (seconds * TimeUnit.SECONDS.toNanos(1));
  }

  private List<String> lines() {
    return bytes.toString(UTF_8).lines().toList();
  }
}
