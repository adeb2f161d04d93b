package org.bmojo.sweep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.bmojo.error.BadInput;
import org.bmojo.mixer.StorageConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SweepTest {
  @TempDir Path home = Path.of("");

  @Test
  void everyBaselineAndChangeIsTriedOnEveryTask() throws IOException {
    Sweep sweep = Plans.tiny(home);
    Set<String> models = new LinkedHashSet<>();
    Set<String> tasks = new LinkedHashSet<>();
    for (SweepTrial t : sweep.trials()) {
      models.add(t.label().model());
      tasks.add(t.label().task());
    }
    assertThat(tasks).containsExactly("mqar", "mqar/length=26", "mqar/length=30");
    assertThat(models)
        .containsExactly(
            "mamba",
            "bmojo",
            "bmojo, eidetic=0, chunk=2",
            "bmojo, eidetic=4, chunk=2",
            // eidetic=0, chunk=4 is eidetic=0, chunk=2; eidetic=4, chunk=4 is the baseline itself.
            "bmojo, eidetic=8, chunk=2",
            "bmojo, eidetic=8, chunk=4",
            "bmojo, no convolution",
            "bmojo, window and selection");
    // Mamba at two rates, each B'MOJO at its own; two seeds, three tasks.
    assertThat(sweep.trials()).hasSize((2 + 7) * 2 * 3);
    assertThat(sweep.trials().stream().map(SweepTrial::key)).doesNotHaveDuplicates();
    SweepTrial changed = sweep.only("window and selection").trials().getFirst();
    assertThat(changed.model().window()).isEqualTo(3);
    assertThat(changed.model().eidetic()).isEqualTo(4);
    assertThat(changed.trial().schedule().peak()).isEqualTo(5e-3);
    assertThat(changed.trial().suite().test().getFirst().examples()).isEqualTo(5);
  }

  @Test
  void shardsAreTheWholeAndShareNothing() throws IOException {
    Sweep sweep = Plans.tiny(home);
    List<SweepTrial> all = new ArrayList<>();
    for (int i = 1; i <= 5; i++) all.addAll(sweep.shard(i, 5).trials());
    assertThat(all).containsExactlyInAnyOrderElementsOf(sweep.trials());
    assertThat(sweep.shard(1, 1)).isEqualTo(sweep);
    assertThat(sweep.shard(63, 63).trials()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"'retrieved: 6', 4", "'retrieved: 6, queries: 1', 1"})
  void storageReachesEveryLayer(String sizes, int queries) throws IOException {
    String plan =
        Plans.TINY
            .replace("eidetic: 4,", "eidetic: 4, " + sizes + ",")
            .replace("eidetic: [0, 4, 8]", "eidetic: [4, 8]");
    Sweep sweep = Plans.read(home, plan);
    SweepTrial stored = sweep.only("no convolution").trials().getFirst();
    assertThat(stored.model().retrieved()).isEqualTo(6);
    assertThat(stored.model().queries()).isEqualTo(queries);
    assertThat(stored.trial().model().layers())
        .extracting(layer -> layer.mixer().attention())
        .allSatisfy(attention ->
            assertThat(attention)
                .extracting("eidetic.storage")
                .isEqualTo(StorageConfig.of(6, queries)));
  }

  /** The names do not matter, nor whether a usual size is written out. */
  @ParameterizedTest
  @CsvSource({
    "sweep: tiny, sweep: other",
    "mamba:, serpent:",
    "'width: 16, states: 2}', 'width: 16, states: 2, layers: 2}'",
    "'eidetic: 4,', 'eidetic: 4, heads: 1, positions: fixed,'",
    "'eidetic: 4,', 'eidetic: 4, retrieved: 0, queries: 3,'",
    "seeds: [1], 'seeds: [1, 3]'"
  })
  void trialsThatAreTheSameHaveTheSameKey(String was, String is) throws IOException {
    assertThat(keys(Plans.TINY.replace(was, is)).containsAll(keys(Plans.TINY))).isTrue();
  }

  @ParameterizedTest
  @CsvSource({
    "'seeds: [1, 2]', 'seeds: [3, 4]'",
    "window: 4, window: 5",
    "batch: 2, batch: 3",
    "steps: 3, steps: 4",
    "'batch: 2', 'batch: 2, decays: [0.2]'",
    "'batch: 2', 'batch: 2, warmup: 1'",
    "'[1e-3, 1e-2]', '[2e-3]'",
    "vocabulary: 32, vocabulary: 34",
    "testExamples: 5, testExamples: 6",
    "pairs: 2, pairs: 3"
  })
  void whateverDecidesTheResultChangesTheKey(String was, String is) throws IOException {
    String mambaOnly = Plans.TINY.substring(0, Plans.TINY.indexOf("  bmojo:"));
    assertThat(mambaOnly).contains(was);
    assertThat(keys(mambaOnly.replace(was, is))).doesNotContainAnyElementsOf(keys(mambaOnly));
  }

  @Test
  void overridesTakeThePlaceOfThePlans() throws IOException {
    Path file = Plans.file(home, Plans.TINY);
    Sweep sweep = Sweep.read(file, new Sweep.Overrides(13L, 7, List.of(9L)));
    assertThat(sweep.trials())
        .hasSize((2 + 7) * 3)
        .allMatch(t -> t.trial().schedule().steps() == 13 && t.trial().batch() == 7)
        .allMatch(t -> t.trial().seed() == 9);
  }

  @Test
  void aBaselineMayHaveSeedsOfItsOwn() throws IOException {
    String yaml = Plans.TINY.replace("learningRates: [5e-3]", "seeds: [7]");
    Sweep sweep = Plans.read(home, yaml);
    // Both at two rates, three tasks.
    assertThat(sweep.only("mamba").trials()).hasSize(2 * 2 * 3);
    assertThat(sweep.only("bmojo").trials())
        .hasSize(7 * 2 * 3)
        .allMatch(t -> t.trial().seed() == 7);
    Path file = Plans.file(home, yaml);
    assertThat(Sweep.read(file, new Sweep.Overrides(null, null, List.of(9L))).trials())
        .hasSize((1 + 7) * 2 * 3)
        .allMatch(t -> t.trial().seed() == 9);
  }

  @Test
  void epochsDecaysAndLongestTestsCount() throws IOException {
    String yaml =
        """
        sweep: epochs
        window: 4
        seeds: [1]
        training: {batch: 7, epochs: 3, learningRates: [1e-3], decays: [0, 0.1]}
        tasks:
          in-context:
            task: {kind: in-context-recall, examples: 50, testLengths: [30, 62], testExamples: 2}
            batch: 13
        baselines:
          transformer:
            model: {family: transformer, width: 16}
            longestTest: 40
        """;
    List<SweepTrial> trials = Plans.read(home, yaml).trials();
    assertThat(trials).hasSize(2);
    for (SweepTrial t : trials) {
      assertThat(t.trial().schedule().steps()).isEqualTo(3 * 4); // ⌈50/13⌉ batches an epoch
      assertThat(t.trial().suite().test())
          .singleElement()
          .satisfies(s -> assertThat(s.task().length()).isEqualTo(29));
    }
    assertThat(trials.getLast().trial().settings().decay()).isEqualTo(0.1);
  }

  @ParameterizedTest
  @CsvSource({
    "window: 4, windw: 4, unknown key windw, 'window'",
    "'states: 2, window', 'stats: 2, window', unknown key stats, 'states'",
    "vocabulary: 32, vocab: 32, unknown key vocab, 'vocabulary'",
    "steps: 3, stepz: 3, unknown key training.stepz, 'steps'",
    "no convolution: {convolution: 0}, x: {convolutoin: 0}, unknown key convolutoin, 'convolution'",
    "'eidetic: [0, 4, 8]', 'eidetc: [0, 4, 8]', unknown key eidetc, 'eidetic'",
    "family: mamba, family: mambo, mambo, 'mamba2'",
    "kind: mqar, kind: mkar, mkar, 'selective-copying'",
    "family: mamba, 'family: mamba, eidetic: 3', eidetic 3 for mamba, 'no such part'",
    "'of: [bmojo]', 'of: [bmoyo]', changes of bmoyo, 'mamba, bmojo'",
    "'learningRates: [1e-3, 1e-2]', 'learningRates: []', no training.learningRates, 'at least one'",
    "'learningRates: [5e-3]', 'seeds: []', no seeds of bmojo, 'at least one'",
    "pairs: 2, pairs: 2000, 2000 pairs, 'show fewer pairs'",
    "steps: 3, steps: 0, a schedule with, 'steps'",
    "'seeds: [1, 2]', 'seeds: [1, 2]\nseeds: [3]', Duplicate, 'plan.yaml'",
    "'batch: 2,', '', batch, 'plan.yaml'",
    "'batch: 2, steps: 3', 'batch: 2', 'steps null and epochs null', 'one of the two'",
    "'steps: 3', 'epochs: 3', epochs of an endless task, 'Give the training steps'",
    "window: 4, 'window: [', plan.yaml, 'line'",
    "window: 4, window: 0, window 0, '1 or more'"
  })
  void mistakesAreRefusedWithTheirPlaceAndCure(String was, String is, String found, String cure) {
    assertThat(Plans.TINY).contains(was);
    assertThatThrownBy(
            () -> Plans.read(home, Plans.TINY.replaceFirst(java.util.regex.Pattern.quote(was), is)))
        .isInstanceOf(BadInput.class)
        .hasMessageContainingAll(found, cure);
  }

  @Test
  void aMissingFileIsRefused() {
    assertThatThrownBy(() -> Sweep.read(home.resolve("none.yaml"), Sweep.Overrides.NONE))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("none.yaml does not exist");
  }

  private Set<String> keys(String yaml) throws IOException {
    Set<String> keys = new LinkedHashSet<>();
    for (SweepTrial t : Plans.read(home, yaml).trials()) keys.add(t.key());
    return keys;
  }
}
