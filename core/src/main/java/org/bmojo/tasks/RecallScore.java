package org.bmojo.tasks;

import java.util.Collections;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Accuracy of a model's choices, gathered batch by batch. Three averages are in use:
 *
 * <ul>
 *   <li>{@link #perExample}: fraction correct of each example, then the mean over examples. What
 *       Zoology and Based report.
 *   <li>{@link #plain}: fraction of all labelled positions. The same when every example has as many
 *       labels.
 *   <li>{@link #macro}: recall of each class, averaged over the classes that occur in a batch's
 *       targets or choices; then the mean over batches. What MAD reports. One stray choice of a
 *       class that is never wanted adds a class with recall 0, and the value depends on how the
 *       examples were batched.
 * </ul>
 *
 * Slices hold every labelled position alike. Before the first label all averages are NaN. Not safe
 * for use by several threads.
 */
public final class RecallScore {
  /** Correct answers among the labelled positions of a slice. */
  public record Slice(long correct, long labels) {
    /** Share of correct answers. */
    public double accuracy() {
      return (double) correct / labels;
    }

    private Slice plus(boolean right) {
      return new Slice(correct + (right ? 1 : 0), labels + 1);
    }
  }

  private static final Slice EMPTY = new Slice(0, 0);

  private final int window;
  private final SortedMap<Integer, Slice> byPairs = new TreeMap<>();
  private final SortedMap<Integer, Slice> byWindows = new TreeMap<>();
  private final SortedMap<Integer, Slice> byLookups = new TreeMap<>();
  private Slice all = EMPTY;
  private long examples;
  private double sumOverExamples;
  private long batches;
  private double sumOfMacros;

  /**
   * An empty score.
   *
   * @param window W, the unit of distance for {@link #byWindows}
   */
  public RecallScore(int window) {
    Check.atLeast(1, window, "window");
    this.window = window;
  }

  /**
   * Adds a batch.
   *
   * @param chosen the model's choice (argmax over the vocabulary) for each label, (K), in the order
   *     of {@link Batch#positions}
   */
  public void add(Batch batch, long[] chosen) {
    Check.that(
        chosen.length == batch.labels(),
        chosen.length + " choices",
        "expected one for each of the " + batch.labels() + " labelled positions",
        "gather the outputs at Batch.positions()");
    long[] wanted = new long[chosen.length];
    long ids = 0;
    for (int k = 0; k < chosen.length; k++) {
      wanted[k] = batch.targets()[batch.positions()[k]];
      Check.that(
          chosen[k] >= 0 && chosen[k] <= Integer.MAX_VALUE - 8,
          "choice " + chosen[k],
          "expected a token id",
          "pass the argmax, not scores");
      ids = Math.max(ids, 1 + Math.max(wanted[k], chosen[k]));
    }
    addSlices(batch, chosen, wanted);
    addExamples(batch, chosen, wanted);
    if (chosen.length > 0) {
      sumOfMacros += macro(chosen, wanted, (int) ids);
      batches++;
    }
  }

  private void addSlices(Batch batch, long[] chosen, long[] wanted) {
    for (int k = 0; k < chosen.length; k++) {
      boolean right = chosen[k] == wanted[k];
      all = all.plus(right);
      count(byPairs, batch.pairs()[k], right);
      count(byLookups, batch.lookups()[k], right);
      if (batch.distances()[k] != Batch.NONE) {
        count(byWindows, windows(batch.distances()[k]), right);
      }
    }
  }

  private void addExamples(Batch batch, long[] chosen, long[] wanted) {
    for (int k = 0; k < chosen.length; ) {
      int row = batch.positions()[k] / batch.length();
      Slice example = EMPTY;
      for (; k < chosen.length && batch.positions()[k] / batch.length() == row; k++) {
        example = example.plus(chosen[k] == wanted[k]);
      }
      sumOverExamples += example.accuracy();
      examples++;
    }
  }

  private static double macro(long[] chosen, long[] wanted, int ids) {
    int[] due = new int[ids];
    int[] hit = new int[ids];
    boolean[] occurs = new boolean[ids];
    for (int k = 0; k < chosen.length; k++) {
      int target = (int) wanted[k];
      due[target]++;
      hit[target] += chosen[k] == target ? 1 : 0;
      occurs[target] = true;
      occurs[(int) chosen[k]] = true;
    }
    double sum = 0;
    int classes = 0;
    for (int id = 0; id < ids; id++) {
      if (occurs[id]) {
        sum += due[id] == 0 ? 0 : (double) hit[id] / due[id];
        classes++;
      }
    }
    return sum / classes;
  }

  private static void count(SortedMap<Integer, Slice> slices, int key, boolean right) {
    slices.put(key, slices.getOrDefault(key, EMPTY).plus(right));
  }

  /** Labelled positions so far. */
  public long labels() {
    return all.labels();
  }

  /** Examples with at least one label so far; others count nowhere. */
  public long examples() {
    return examples;
  }

  /** Mean over examples of the fraction correct. */
  public double perExample() {
    return sumOverExamples / examples;
  }

  /** Fraction of labelled positions that are correct. */
  public double plain() {
    return all.accuracy();
  }

  /** MAD's accuracy: mean over batches of the mean recall of the classes in them. */
  public double macro() {
    return sumOfMacros / batches;
  }

  /** By the number of pairs in memory. */
  public SortedMap<Integer, Slice> byPairs() {
    return Collections.unmodifiableSortedMap(byPairs);
  }

  /** By the number of pairs to be read in turn. */
  public SortedMap<Integer, Slice> byLookups() {
    return Collections.unmodifiableSortedMap(byLookups);
  }

  /**
   * By distance in windows, in octaves: 0 is d &lt; W, which the window sees by itself; 1 is W ≤ d
   * &lt; 2W, 2 is 2W ≤ d &lt; 4W, and so on. {@link #bounds} names them. Positions without a
   * distance are left out.
   */
  public SortedMap<Integer, Slice> byWindows() {
    return Collections.unmodifiableSortedMap(byWindows);
  }

  /** The distances of an octave in windows, such as {@code <1}, {@code 1-2}, {@code 2-4}. */
  public static String bounds(int octave) {
    return octave == 0 ? "<1" : (1L << (octave - 1)) + "-" + (1L << octave);
  }

  private int windows(int distance) {
    return 32 - Integer.numberOfLeadingZeros(distance / window);
  }
}
