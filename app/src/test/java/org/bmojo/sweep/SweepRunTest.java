package org.bmojo.sweep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import org.bmojo.error.BadInput;
import org.bmojo.model.Placement;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SweepRunTest {
  @TempDir Path home = Path.of("");

  /** Counts what happens. */
  private static final class Counter implements SweepRun.Observer {
    final AtomicLong tokens = new AtomicLong();
    final AtomicInteger finished = new AtomicInteger();

    @Override
    public void advanced(long read) {
      tokens.addAndGet(read);
    }

    @Override
    public void finished(SweepTrial trial, Outcome outcome) {
      assertThat(outcome.key()).isEqualTo(trial.key());
      finished.incrementAndGet();
    }
  }

  private static Counter run(Sweep sweep, Path folder, int workers, BooleanSupplier stop) {
    Counter counter = new Counter();
    try (Journal journal = Journal.open(folder, "trials", _ -> {})) {
      new SweepRun(sweep, journal, Placement.CPU, "abc", counter, stop).run(workers);
    }
    return counter;
  }

  private static Map<String, Double> losses(Path folder) {
    Map<String, Double> losses = new TreeMap<>();
    for (Outcome o : Journal.read(folder)) {
      Double loss = o.loss();
      losses.put(o.key(), loss == null ? Double.NaN : loss);
    }
    return losses;
  }

  @Test
  void workersComeToTheSameResults() throws IOException {
    Sweep sweep = Plans.tiny(home).only("mqar: ");
    Counter alone = run(sweep, home.resolve("one"), 1, () -> false);
    Counter three = run(sweep, home.resolve("three"), 3, () -> false);
    assertThat(alone.finished.get()).isEqualTo(sweep.trials().size());
    assertThat(losses(home.resolve("three")))
        .hasSize(sweep.trials().size())
        .isEqualTo(losses(home.resolve("one")));
    long expected =
        sweep.trials().stream()
            .map(t -> Cost.of(t.trial()))
            .mapToLong(c -> c.trainTokens() + c.testTokens())
            .sum();
    assertThat(three.tokens.get()).isEqualTo(expected);
  }

  @Test
  void finishedTrialsAreSkippedAndStoppedOnesBegunAgain() throws IOException {
    Sweep sweep = Plans.tiny(home).only("mqar: ");
    Path folder = home.resolve("parts");
    AtomicInteger asked = new AtomicInteger();
    Counter first = run(sweep, folder, 1, () -> asked.incrementAndGet() > 20);
    assertThat(first.finished.get()).isBetween(1, sweep.trials().size() - 1);
    Counter second = run(sweep, folder, 1, () -> false);
    assertThat(first.finished.get() + second.finished.get()).isEqualTo(sweep.trials().size());
    Counter third = run(sweep, folder, 1, () -> false);
    assertThat(third.finished.get()).isZero();
    assertThat(third.tokens.get()).isZero();

    run(sweep, home.resolve("whole"), 1, () -> false);
    assertThat(losses(folder)).isEqualTo(losses(home.resolve("whole")));
  }

  @Test
  void aLineThatAKillCutOffIsRepairedAloud() throws IOException {
    Sweep sweep = Plans.tiny(home).only("mqar: mamba");
    Path folder = home.resolve("torn");
    run(sweep, folder, 1, () -> false);
    Path file = folder.resolve("trials.jsonl");
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, java.util.Arrays.copyOf(whole, whole.length - 13));
    assertThat(Journal.read(folder)).hasSize(sweep.trials().size() - 1);
    List<String> words = new ArrayList<>();
    try (Journal journal = Journal.open(folder, "trials", words::add)) {
      assertThat(words).singleElement().asString().contains("trials.jsonl", "cut off");
      Counter counter = new Counter();
      new SweepRun(sweep, journal, Placement.CPU, null, counter, () -> false).run(1);
      assertThat(counter.finished.get()).isEqualTo(1);
    }
    assertThat(Journal.read(folder)).hasSize(sweep.trials().size());
    Journal.open(folder, "trials", w -> assertThat(w).isNull()).close();
  }

  @Test
  void damageElsewhereAndASecondWriterAreRefused() throws IOException {
    Sweep sweep = Plans.tiny(home).only("mqar: mamba");
    Path folder = home.resolve("bad");
    run(sweep, folder, 1, () -> false);
    try (Journal _ = Journal.open(folder, "trials", _ -> {})) {
      assertThatThrownBy(() -> Journal.open(folder, "trials", _ -> {}))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("in use by another sweep");
    }
    Path other = folder.resolve("trials-2-of-2.jsonl");
    for (String line : List.of("{\"key\": 3}", "{\"task\": {}, \"model\": {}}", "null", "[]", "")) {
      Files.writeString(other, line + "\n");
      assertThatThrownBy(() -> Journal.open(folder, "trials", _ -> {}))
          .as(line)
          .isInstanceOf(BadInput.class)
          .hasMessageContainingAll("line 1", "trials-2-of-2.jsonl", "Remove the line");
    }
  }

  @Test
  void outcomesCarryAllThatDecidedThem() throws IOException {
    Sweep sweep = Plans.tiny(home).only("bmojo, no convolution");
    run(sweep, home.resolve("all"), 2, () -> false);
    List<Outcome> outcomes = Journal.read(home.resolve("all"));
    assertThat(outcomes).hasSize(6);
    for (Outcome o : outcomes) {
      SweepTrial trial =
          sweep.trials().stream().filter(t -> t.key().equals(o.key())).findFirst().orElseThrow();
      assertThat(o.label()).isEqualTo(trial.label());
      assertThat(o.model()).isEqualTo(trial.model());
      assertThat(o.task()).isEqualTo(trial.task());
      assertThat(o.schedule()).isEqualTo(trial.trial().schedule());
      assertThat(o.config().at("/layers/0/block/mixer/attention/convolution").asInt()).isZero();
      assertThat(o.commit()).isEqualTo("abc");
      assertThat(o.steps()).isEqualTo(3);
      assertThat(o.tests())
          .singleElement()
          .satisfies(t -> {
            assertThat(t.examples()).isEqualTo(5);
            assertThat(t.pairs())
                .hasEntrySatisfying("2", s -> assertThat(s.labels()).isEqualTo(10));
            assertThat(t.recall()).isEqualTo(o.recall());
          });
    }
  }
}
