package org.bmojo.tasks;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.bmojo.tasks.Suite.Part;

/**
 * The published settings by name, and the ones we use where nothing is published. A suite drawn
 * with {@link #MASTER_SEED} is the one our results speak of.
 */
public final class Presets {
  /** The master seed of Zoology's and Based's runs; their bytes differ from ours all the same. */
  public static final long MASTER_SEED = 123;

  private Presets() {}

  // ---- MQAR: Zoology and Based --------------------------------------------------------------

  /** V of both papers. */
  public static final int MQAR_VOCABULARY = 8192;

  /** The published power: slot i is about 1/(i + 1) likely. */
  public static final double MQAR_POWER = 0.01;

  /** Four points, log-spaced from 1e-3 to 10^-1.5; the best counts. */
  public static final List<Double> BASED_LEARNING_RATES =
      List.of(1e-3, Math.pow(10, -2.5), 1e-2, Math.pow(10, -1.5));

  /** Four points, log-spaced from 1e-4 to 1e-2; the best counts. */
  public static final List<Double> ZOOLOGY_LEARNING_RATES =
      List.of(1e-4, Math.pow(10, -10 / 3.), Math.pow(10, -8 / 3.), 1e-2);

  /** Based: 256 to train, for 32 epochs. */
  public static final int BASED_BATCH = 256;

  public static final int BASED_EPOCHS = 32;

  public static final int ZOOLOGY_EPOCHS = 64;

  /** MQAR as in Based: fillers are random. */
  public static Mqar basedMqar(int length, int pairs) {
    return new Mqar(new Mqar.Config(MQAR_VOCABULARY, length, pairs, MQAR_POWER, true, 1));
  }

  /** MQAR as in Zoology's figure 2: fillers are zeros. */
  public static Mqar zoologyMqar(int length, int pairs) {
    return new Mqar(new Mqar.Config(MQAR_VOCABULARY, length, pairs, MQAR_POWER, false, 1));
  }

  /**
   * Based's mixture: 180,000 examples of five settings up to (256, 64) to train on, seven settings
   * of 1,000 to be tested on, the last two longer than anything trained on. The headline number is
   * the unweighted mean of the seven {@link RecallScore#perExample}.
   */
  public static Suite basedMixture(long masterSeed) {
    return Suite.of(
        "mqar-based",
        masterSeed,
        List.of(
            new Part(basedMqar(64, 4), 100_000),
            new Part(basedMqar(128, 8), 20_000),
            new Part(basedMqar(256, 16), 20_000),
            new Part(basedMqar(256, 32), 20_000),
            new Part(basedMqar(256, 64), 20_000)),
        List.of(
            new Part(basedMqar(64, 4), 1_000),
            new Part(basedMqar(64, 8), 1_000),
            new Part(basedMqar(64, 16), 1_000),
            new Part(basedMqar(128, 32), 1_000),
            new Part(basedMqar(256, 64), 1_000),
            new Part(basedMqar(512, 128), 1_000),
            new Part(basedMqar(1024, 256), 1_000)));
  }

  /** Zoology's figure 2: each panel is trained and tested on one setting. */
  public enum Zoology {
    L64(64, 4, 512),
    L128(128, 8, 512),
    L256(256, 16, 256),
    L512(512, 64, 128);

    private final int length;
    private final int pairs;
    private final int batch;

    Zoology(int length, int pairs, int batch) {
      this.length = length;
      this.pairs = pairs;
      this.batch = batch;
    }

    /** L. */
    public int length() {
      return length;
    }

    /** The published batch size. */
    public int batch() {
      return batch;
    }

    /** 100,000 examples to train on and 3,000 to be tested on. */
    public Suite suite(long masterSeed) {
      Mqar task = zoologyMqar(length, pairs);
      return Suite.of(
          "mqar-zoology-" + length,
          masterSeed,
          List.of(new Part(task, 100_000)),
          List.of(new Part(task, 3_000)));
    }
  }

  /** MQAR in which half of the keys are overwritten. */
  public static ForgettingMqar forgettingMqar(int length, int pairs) {
    return new ForgettingMqar(
        new ForgettingMqar.Config(MQAR_VOCABULARY, length, pairs, pairs / 2, MQAR_POWER, true));
  }

  /** MQAR with two-token keys; the pairs must be a square number. */
  public static CompositionalMqar compositionalMqar(int length, int pairs) {
    return new CompositionalMqar(
        new CompositionalMqar.Config(MQAR_VOCABULARY, length, pairs, MQAR_POWER, true));
  }

  // ---- MAD ----------------------------------------------------------------------------------

  /** MAD: every pair of a rate and a decay is trained, the best test accuracy counts. */
  public static final List<Double> MAD_LEARNING_RATES = List.of(1e-4, 5e-4, 1e-3);

  public static final List<Double> MAD_WEIGHT_DECAYS = List.of(0., 0.1);
  public static final int MAD_BATCH = 128;
  public static final int MAD_EPOCHS = 200;
  public static final int MAD_TEST_EXAMPLES = 1_280;

  private static final List<Integer> MAD_EXAMPLES = List.of(12_800, 6_400, 3_200, 1_600, 800);

  /**
   * MAD's six tasks. Each is a baseline and sweeps that change one factor at a time, 66 settings in
   * all; the score of a task is the mean over its settings, MAD's score the mean over tasks.
   */
  @SuppressWarnings("ImmutableEnumChecker") // all lists come from List.of
  public enum Mad {
    IN_CONTEXT_RECALL(List.of(16, 32, 64, 128), List.of(128, 256, 512, 1024), MAD_EXAMPLES),
    /** The fourth factor is the share of noise; the 16 noise ids are part of the vocabulary. */
    NOISY_IN_CONTEXT_RECALL(
        List.of(32, 48, 80, 144),
        List.of(128, 256, 512, 1024),
        MAD_EXAMPLES,
        "noise",
        List.of(0.2, 0.4, 0.6, 0.8)),
    FUZZY_IN_CONTEXT_RECALL(List.of(16, 32, 64, 128), List.of(128, 256, 512, 1024), MAD_EXAMPLES),
    /** The fourth factor is how many tokens to copy. */
    SELECTIVE_COPYING(
        List.of(16, 32, 64, 128),
        List.of(256, 512, 1024),
        MAD_EXAMPLES,
        "tokens",
        List.of(16., 32., 64., 96.)),
    COMPRESSION(List.of(16, 32, 64, 128), List.of(32, 64, 128, 256), MAD_EXAMPLES),
    MEMORIZATION(List.of(256, 512, 1024, 2048, 4096, 8192), List.of(32), List.of(256));

    /**
     * One of a task's settings.
     *
     * @param change {@code baseline} or the factor that differs from it, such as {@code length=256}
     */
    public record Setting(String change, Task task, int trainExamples) {
      /** The setting's training examples and {@link #MAD_TEST_EXAMPLES} test examples. */
      public Suite suite(long masterSeed) {
        return Suite.of(
            "mad-" + task.name() + "/" + change,
            masterSeed,
            List.of(new Part(task, trainExamples)),
            List.of(new Part(task, MAD_TEST_EXAMPLES)));
      }
    }

    // Of each factor the first value is the baseline's.
    private final List<Integer> vocabularies;
    private final List<Integer> lengths;
    private final List<Integer> examples;
    private final String factor;
    private final List<Double> amounts;

    Mad(List<Integer> vocabularies, List<Integer> lengths, List<Integer> examples) {
      this(vocabularies, lengths, examples, "", List.of(0.));
    }

    Mad(
        List<Integer> vocabularies,
        List<Integer> lengths,
        List<Integer> examples,
        String factor,
        List<Double> amounts) {
      this.vocabularies = vocabularies;
      this.lengths = lengths;
      this.examples = examples;
      this.factor = factor;
      this.amounts = amounts;
    }

    /** The setting all others differ from in one factor. */
    public Setting baseline() {
      return settings().getFirst();
    }

    /** The baseline, then every change of it. */
    public List<Setting> settings() {
      int v = vocabularies.getFirst();
      int length = lengths.getFirst();
      int train = examples.getFirst();
      double amount = amounts.getFirst();
      List<Setting> settings = new ArrayList<>();
      settings.add(new Setting("baseline", task(v, length, amount), train));
      for (int other : rest(vocabularies)) {
        settings.add(new Setting("vocabulary=" + other, task(other, length, amount), train));
      }
      for (int other : rest(lengths)) {
        settings.add(new Setting("length=" + other, task(v, other, amount), train));
      }
      for (int other : rest(examples)) {
        settings.add(new Setting("examples=" + other, task(v, length, amount), other));
      }
      for (double other : rest(amounts)) {
        settings.add(new Setting(factor + "=" + other, task(v, length, other), train));
      }
      return List.copyOf(settings);
    }

    private static <T> List<T> rest(List<T> values) {
      return values.subList(1, values.size());
    }

    private Task task(int vocabulary, int length, double amount) {
      return switch (this) {
        case IN_CONTEXT_RECALL ->
            new InContextRecall(new InContextRecall.Config(vocabulary, length, 0, 0, true));
        case NOISY_IN_CONTEXT_RECALL ->
            new InContextRecall(new InContextRecall.Config(vocabulary, length, 16, amount, true));
        case FUZZY_IN_CONTEXT_RECALL ->
            new FuzzyRecall(new FuzzyRecall.Config(vocabulary, length, 3, 3));
        case SELECTIVE_COPYING ->
            new SelectiveCopying(new SelectiveCopying.Config(vocabulary, length, (int) amount));
        case COMPRESSION -> new Compression(new Compression.Config(vocabulary, length));
        case MEMORIZATION -> new Memorization(new Memorization.Config(vocabulary, length));
      };
    }
  }

  // ---- Length: passkey, needles, variables, induction ----------------------------------------

  /** Ours: train at 1K … */
  public static final int PASSKEY_TRAIN_LENGTH = 1 << 10;

  /** … and be tested at 1K, 2K … 128K … */
  public static final List<Integer> PASSKEY_TEST_LENGTHS = powersOfTwo(10, 17);

  /** … times these depths. */
  public static final List<Double> PASSKEY_DEPTHS = List.of(0., 0.25, 0.5, 0.75, 1.);

  /** Mamba's induction heads: train at 256 … */
  public static final int INDUCTION_TRAIN_LENGTH = 1 << 8;

  /** … and be tested at 64, 128 … 1,048,576. */
  public static final List<Integer> INDUCTION_TEST_LENGTHS = powersOfTwo(6, 20);

  /** Five digits behind one of 64 keys; at any length the same 107 ids. */
  public static Passkey passkey(int length, double depth) {
    return new Passkey(new Passkey.Config(length, 32, 0.05, 64, 10, 5, 1, depth));
  }

  /** Up to 1,024 needles of one digit out of 64, one of them asked for. */
  public static Passkey multiKey(int length, int needles) {
    return new Passkey(
        new Passkey.Config(length, 32, 0.05, 1024, 64, 1, needles, Passkey.ANY_DEPTH));
  }

  /** Nothing but pairs and one query, in MQAR's vocabulary: up to 4,095 pairs. */
  public static NeedleHaystack needleHaystack(int pairs) {
    return new NeedleHaystack(new NeedleHaystack.Config(MQAR_VOCABULARY, 2 * pairs + 1));
  }

  /** Four chains of RULER's four hops, four of the twenty names asked for. */
  public static VariableTracking variableTracking(int length) {
    return variableTracking(length, 4);
  }

  /** Up to twelve chains of four hops, four names asked for. */
  public static VariableTracking variableTracking(int length, int chains) {
    return new VariableTracking(
        new VariableTracking.Config(length, 32, 0.05, 64, 64, chains, 4, 4));
  }

  /** Sixteen ids, the trigger among them. */
  public static InductionHeads inductionHeads(int length) {
    return new InductionHeads(new InductionHeads.Config(16, length));
  }

  /** Endless training at 1K; tests over the grid of lengths (outer) and depths (inner). */
  public static Suite passkeySuite(long masterSeed, long testExamples) {
    List<Part> tests = new ArrayList<>();
    for (int length : PASSKEY_TEST_LENGTHS) {
      for (double depth : PASSKEY_DEPTHS) {
        tests.add(new Part(passkey(length, depth), testExamples));
      }
    }
    Part train = new Part(passkey(PASSKEY_TRAIN_LENGTH, Passkey.ANY_DEPTH), Segment.ENDLESS);
    return Suite.of("passkey", masterSeed, List.of(train), tests);
  }

  /** Endless training at 256; a test for each length. */
  public static Suite inductionSuite(long masterSeed, long testExamples) {
    List<Part> tests = new ArrayList<>();
    for (int length : INDUCTION_TEST_LENGTHS) {
      tests.add(new Part(inductionHeads(length), testExamples));
    }
    Part train = new Part(inductionHeads(INDUCTION_TRAIN_LENGTH), Segment.ENDLESS);
    return Suite.of("induction-heads", masterSeed, List.of(train), tests);
  }

  private static List<Integer> powersOfTwo(int from, int to) {
    return IntStream.rangeClosed(from, to).mapToObj(i -> 1 << i).toList();
  }
}
