package org.bmojo.tasks;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The tasks by the names that users give them, with sizes that a laptop learns in a minute. */
public enum TaskKind {
  MQAR("pairs are shown, then every key is asked", Sizes.of(64, 80).pairs("pairs", 8)),
  MQAR_FORGETTING(
      "half of the keys are given another value first", Sizes.of(64, 80).pairs("pairs", 8)),
  MQAR_COMPOSITIONAL(
      "keys of two tokens on a grid; a square number of pairs", Sizes.of(64, 80).pairs("pairs", 9)),
  MQAR_BASED("the seven published settings up to 1,024 tokens and 256 pairs", Sizes.FIXED),
  MQAR_ZOOLOGY("one published setting: 64, 128, 256 or 512 tokens", Sizes.of(64, 0)),
  IN_CONTEXT_RECALL("pairs come again and again (MAD)", Sizes.of(128, 16).mad(12_800)),
  NOISY_IN_CONTEXT_RECALL("the same among noise (MAD)", Sizes.of(128, 32).mad(12_800)),
  FUZZY_IN_CONTEXT_RECALL(
      "keys and values of one to three tokens (MAD)", Sizes.of(128, 16).mad(12_800)),
  SELECTIVE_COPYING(
      "repeat the content, leave out the blanks (MAD)",
      Sizes.of(256, 16).pairs("tokens to copy", 16).mad(12_800)),
  COMPRESSION("everything in the last position's vector (MAD)", Sizes.of(32, 16).mad(12_800)),
  MEMORIZATION("a map that ends up in the weights (MAD)", Sizes.of(32, 256).mad(256)),
  PASSKEY("five digits hidden in predictable filler", Sizes.of(256, 0)),
  MULTI_KEY("several needles, one asked for", Sizes.of(256, 0).pairs("needles", 4)),
  NEEDLE_HAYSTACK("nothing but pairs, one asked for", Sizes.of(0, 8192).pairs("pairs", 32)),
  VARIABLE_TRACKING(
      "chains of assignments, followed back to a value", Sizes.of(256, 0).pairs("chains", 4)),
  INDUCTION("what followed the trigger, however long ago", Sizes.of(256, 16));

  /**
   * What can be set, and to what it is set otherwise.
   *
   * @param length 0 where it follows from others
   * @param vocabulary 0 where it is fixed
   * @param pairs what {@code pairs} counts; null where nothing can be counted
   * @param examples to train on
   */
  record Sizes(int length, int vocabulary, @Nullable String pairs, int count, long examples) {
    static final Sizes FIXED = of(0, 0);

    static Sizes of(int length, int vocabulary) {
      return new Sizes(length, vocabulary, null, 0, Segment.ENDLESS);
    }

    Sizes pairs(String what, int number) {
      return new Sizes(length, vocabulary, what, number, examples);
    }

    Sizes mad(long number) {
      return new Sizes(length, vocabulary, pairs, count, number);
    }
  }

  private final String description;
  private final Sizes sizes;

  TaskKind(String description, Sizes sizes) {
    this.description = description;
    this.sizes = sizes;
  }

  /** What it asks, in a few words. */
  public String description() {
    return description;
  }

  Sizes sizes() {
    return sizes;
  }

  /** Such as {@code mqar-forgetting}. */
  public String label() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** What {@code pairs} counts in this task; null where it counts nothing. */
  public @Nullable String counted() {
    return sizes.pairs;
  }

  /** The task called {@code label}. */
  public static TaskKind named(String label) {
    for (TaskKind kind : values()) if (kind.label().equals(label)) return kind;
    String all = Arrays.stream(values()).map(TaskKind::label).collect(Collectors.joining(", "));
    Check.that(false, "task " + label, "expected one of " + all, "choose one of them");
    throw new AssertionError("refused above");
  }
}
