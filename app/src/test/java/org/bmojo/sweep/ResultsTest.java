package org.bmojo.sweep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bmojo.eval.RecallTrial;
import org.bmojo.model.Placement;
import org.bmojo.tasks.RecallScore.Slice;
import org.bmojo.train.Schedule;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is made of outcomes whose recall is known. */
class ResultsTest {
  @TempDir Path home = Path.of("");
  private List<Outcome> real = List.of();

  @BeforeEach
  void trained() throws IOException {
    Path folder = home.resolve("trained");
    try (Journal journal = Journal.open(folder, "trials", _ -> {})) {
      Sweep sweep = Plans.tiny(home).only("bmojo");
      var nobody =
          new SweepRun.Observer() {
            @Override
            public void advanced(long tokens) {}

            @Override
            public void finished(SweepTrial trial, Outcome outcome) {}
          };
      new SweepRun(sweep, journal, Placement.CPU, null, nobody, () -> false).run(1);
    }
    real = Journal.read(folder);
  }

  /** The first outcome with other numbers. */
  private Outcome outcome(String task, double rate, long seed, double recall) {
    Outcome o = real.getFirst();
    Slice half = new Slice(1, 2);
    var test =
        new RecallTrial.Test(
            "mqar",
            1,
            24,
            null,
            5,
            recall,
            recall,
            recall,
            Map.of("2", half),
            Map.of("<1", half, "1-2", new Slice(seed, 4)),
            Map.of());
    return new Outcome(
        "key " + task + rate + seed,
        o.sweep(),
        new SweepTrial.Label(task, "model", "", Map.of()),
        o.task(),
        o.model(),
        o.config(),
        o.batch(),
        new Schedule(Schedule.Shape.COSINE, rate, 0, 0, 3),
        o.optimizer(),
        o.window(),
        seed,
        null,
        "cpu",
        1,
        2,
        3,
        4,
        5,
        6,
        7.0,
        null,
        recall,
        List.of(test));
  }

  @Test
  void theRateThatIsBestOverAllSeedsCounts() {
    List<Results.Row> rows =
        Results.rows(
            List.of(
                outcome("a", 0.1, 1, 1.0),
                outcome("a", 0.1, 2, 0.0),
                outcome("a", 0.2, 1, 0.6),
                outcome("a", 0.2, 2, 0.7)));
    assertThat(rows).hasSize(1);
    Results.Row row = rows.getFirst();
    assertThat(row.learningRate()).isEqualTo(0.2);
    assertThat(row.seeds()).isEqualTo(2);
    assertThat(row.recall()).isCloseTo(0.65, within(1e-12));
    assertThat(row.low()).isEqualTo(0.6);
    assertThat(row.high()).isEqualTo(0.7);
    // Slices add up over seeds: 1 and 2 right of 4 each.
    assertThat(row.byWindows()).containsEntry("1-2", 0.375).containsEntry("<1", 0.5);
  }

  @Test
  void groupsAreMeansOverTheirTasksAndOnlyOfWholeOnes() {
    List<Outcome> outcomes =
        List.of(
            outcome("a", 0.1, 1, 1.0),
            outcome("a/length=26", 0.1, 1, 0.5),
            outcome("a/length=30", 0.2, 1, 0.0),
            outcome("b", 0.1, 1, 0.25));
    List<Results.Row> grouped = Results.grouped(Results.rows(outcomes));
    assertThat(grouped).extracting(r -> r.label().task()).containsExactly("a", "b");
    assertThat(grouped.getFirst().recall()).isEqualTo(0.5);
    assertThat(grouped.getLast().recall()).isEqualTo(0.25);

    List<Outcome> two = new ArrayList<>(outcomes);
    Outcome o = outcomes.getFirst();
    two.add(relabelled(o, new SweepTrial.Label("a", "half done", "", Map.of())));
    assertThat(Results.grouped(Results.rows(two))).hasSize(2);
  }

  private static Outcome relabelled(Outcome o, SweepTrial.Label label) {
    return new Outcome(
        "other",
        o.sweep(),
        label,
        o.task(),
        o.model(),
        o.config(),
        o.batch(),
        o.schedule(),
        o.optimizer(),
        o.window(),
        o.seed(),
        null,
        "cpu",
        1,
        2,
        3,
        4,
        5,
        6,
        7.0,
        null,
        1,
        o.tests());
  }

  @Test
  void thePageHasEveryPlotAndNothingFromElsewhere() throws IOException {
    Path page = home.resolve("page.html");
    SweepPage.of("<tiny>", real).write(page);
    String html = Files.readString(page);
    assertThat(html)
        .contains(
            "&lt;tiny&gt;",
            "bmojo, eidetic=8, chunk=2",
            "Recall against state bytes",
            "Recall by how many windows back",
            "Recall by the length",
            "Recall against eidetic",
            "Recall against chunk",
            "Variants of bmojo",
            "no convolution")
        .doesNotContain("<script", "src=", "href=\"http");
  }
}
