package org.bmojo.tasks;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.error.BadInput;
import org.bmojo.tasks.Suite.Part;
import org.jspecify.annotations.Nullable;

/**
 * A task with its sizes, as a command line or a file chooses them; null where the task's own are
 * good enough. Training has one size; tests may have several, every length with every number of
 * pairs (and, for the passkey, every depth).
 *
 * @param kind which task
 * @param length tokens of a training example
 * @param pairs how many things there are to remember in one: see {@link TaskKind#counted}
 * @param vocabulary ids
 * @param noise share of pairs replaced by noise
 * @param power of MQAR's slots: see {@link Mqar.Config}; 1 otherwise
 * @param randomFillers whether MQAR's fillers are random ids; 0 otherwise, which is easier
 * @param examples to train on, again and again; endless where the task says so
 * @param everyScale whether training hides the passkey at distances of {@link Passkey#EVERY_SCALE}
 *     instead of uniformly, or asks for what followed the trigger after {@link
 *     InductionHeads.Config#everyScale any number of tokens}
 * @param testLengths null for the training length
 * @param testPairs null for the training number
 * @param testDepths where the passkey is hidden, 0 … 1; null for anywhere
 * @param testExamples of every test
 */
public record TaskChoice(
    TaskKind kind,
    @Nullable Integer length,
    @Nullable Integer pairs,
    @Nullable Integer vocabulary,
    @Nullable Double noise,
    @Nullable Double power,
    @Nullable Boolean randomFillers,
    @Nullable Long examples,
    @Nullable Boolean everyScale,
    @Nullable List<Integer> testLengths,
    @Nullable List<Integer> testPairs,
    @Nullable List<Double> testDepths,
    @Nullable Integer testExamples) {
  private static final int TEST_EXAMPLES = 256;
  private static final int FEWEST_TEST_EXAMPLES = 8;
  private static final int TEST_TOKENS = 1 << 20;
  private static final int NOISE_IDS = 16;

  /** Refuses what the task does not have. */
  public TaskChoice {
    testLengths = testLengths == null ? null : List.copyOf(testLengths);
    testPairs = testPairs == null ? null : List.copyOf(testPairs);
    testDepths = testDepths == null ? null : List.copyOf(testDepths);
    TaskKind.Sizes sizes = kind.sizes();
    boolean mqar = kind.ordinal() <= TaskKind.MQAR_COMPOSITIONAL.ordinal();
    boolean published = kind == TaskKind.MQAR_BASED || kind == TaskKind.MQAR_ZOOLOGY;
    refuse(sizes.length() == 0, kind, "length", length);
    refuse(sizes.length() == 0 || published, kind, "testLengths", testLengths);
    refuse(sizes.pairs() == null, kind, "pairs", pairs);
    refuse(sizes.pairs() == null, kind, "testPairs", testPairs);
    refuse(sizes.vocabulary() == 0, kind, "vocabulary", vocabulary);
    refuse(kind != TaskKind.NOISY_IN_CONTEXT_RECALL, kind, "noise", noise);
    refuse(!mqar, kind, "power", power);
    refuse(!mqar, kind, "randomFillers", randomFillers);
    refuse(published, kind, "examples", examples);
    refuse(published, kind, "testExamples", testExamples);
    boolean scales = kind == TaskKind.PASSKEY || kind == TaskKind.INDUCTION;
    refuse(!scales, kind, "everyScale", everyScale);
    refuse(kind != TaskKind.PASSKEY, kind, "testDepths", testDepths);
  }

  /** The task in its own sizes. */
  public static TaskChoice of(TaskKind kind) {
    return new TaskChoice(
        kind, null, null, null, null, null, null, null, null, null, null, null, null);
  }

  private static void refuse(boolean foreign, TaskKind kind, String name, @Nullable Object value) {
    if (!foreign || value == null) return;
    throw new BadInput(
        "%s %s for %s".formatted(name, value, kind.label()),
        "expected none: the task has no such choice",
        "leave it out");
  }

  /**
   * What to train on and what to test on.
   *
   * @param seed decides every example
   */
  public Suite suite(long seed) {
    if (kind == TaskKind.MQAR_BASED) return Presets.basedMixture(seed);
    if (kind == TaskKind.MQAR_ZOOLOGY) return zoology().suite(seed);
    long train = or(examples, kind.sizes().examples());
    List<Part> tests = new ArrayList<>();
    for (int tokens : testLengths == null ? List.of(tokens()) : testLengths) {
      for (int number : testPairs == null ? List.of(count()) : testPairs) {
        for (double depth : testDepths == null ? List.of(Passkey.ANY_DEPTH) : testDepths) {
          Task test = task(tokens, number, depth);
          tests.add(new Part(test, testExamples(test.length())));
        }
      }
    }
    Task task =
        everyScale != null && everyScale ? scaled() : task(tokens(), count(), Passkey.ANY_DEPTH);
    return Suite.of(kind.label(), seed, List.of(new Part(task, train)), tests);
  }

  /** Few of those that take long, unless somebody says how many. */
  private long testExamples(int tokens) {
    int standard = kind.sizes().examples() == Segment.ENDLESS ? TEST_EXAMPLES : 1280;
    return or(testExamples, Math.clamp(TEST_TOKENS / tokens, FEWEST_TEST_EXAMPLES, standard));
  }

  private Task scaled() {
    return kind == TaskKind.INDUCTION
        ? new InductionHeads(new InductionHeads.Config(ids(), tokens(), true))
        : task(tokens(), count(), Passkey.EVERY_SCALE);
  }

  private Task task(int length, int pairs, double depth) {
    return switch (kind) {
      case MQAR -> new Mqar(new Mqar.Config(ids(), length, pairs, slotPower(), fillers(), 1));
      case MQAR_FORGETTING ->
          new ForgettingMqar(
              new ForgettingMqar.Config(ids(), length, pairs, pairs / 2, slotPower(), fillers()));
      case MQAR_COMPOSITIONAL ->
          new CompositionalMqar(
              new CompositionalMqar.Config(ids(), length, pairs, slotPower(), fillers()));
      case IN_CONTEXT_RECALL ->
          new InContextRecall(new InContextRecall.Config(ids(), length, 0, 0, true));
      case NOISY_IN_CONTEXT_RECALL ->
          new InContextRecall(
              new InContextRecall.Config(
                  ids(), length, NOISE_IDS, noise == null ? 0.2 : noise, true));
      case FUZZY_IN_CONTEXT_RECALL -> new FuzzyRecall(new FuzzyRecall.Config(ids(), length, 3, 3));
      case SELECTIVE_COPYING ->
          new SelectiveCopying(new SelectiveCopying.Config(ids(), length, pairs));
      case COMPRESSION -> new Compression(new Compression.Config(ids(), length));
      case MEMORIZATION -> new Memorization(new Memorization.Config(ids(), length));
      case PASSKEY -> Presets.passkey(length, depth);
      case MULTI_KEY -> Presets.multiKey(length, pairs);
      case NEEDLE_HAYSTACK -> new NeedleHaystack(new NeedleHaystack.Config(ids(), 2 * pairs + 1));
      case VARIABLE_TRACKING -> Presets.variableTracking(length, pairs);
      case INDUCTION -> new InductionHeads(new InductionHeads.Config(ids(), length));
      case MQAR_BASED, MQAR_ZOOLOGY -> throw new IllegalStateException("a suite of its own");
    };
  }

  private Presets.Zoology zoology() {
    for (Presets.Zoology panel : Presets.Zoology.values()) {
      if (panel.length() == tokens()) return panel;
    }
    throw new BadInput(
        "length " + tokens() + " for " + kind.label(),
        "expected one of the published 64, 128, 256, 512",
        "choose one, or the task mqar, which takes any");
  }

  private int tokens() {
    return or(length, kind.sizes().length());
  }

  private int count() {
    return or(pairs, kind.sizes().count());
  }

  private int ids() {
    return or(vocabulary, kind.sizes().vocabulary());
  }

  private double slotPower() {
    return power == null ? 1 : power;
  }

  private boolean fillers() {
    return randomFillers != null && randomFillers;
  }

  private static int or(@Nullable Integer value, int otherwise) {
    return value == null ? otherwise : value;
  }

  private static long or(@Nullable Number value, long otherwise) {
    return value == null ? otherwise : value.longValue();
  }
}
