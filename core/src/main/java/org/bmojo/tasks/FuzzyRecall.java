package org.bmojo.tasks;

import java.util.HashMap;
import java.util.Map;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * MAD's fuzzy in-context recall: keys and values are motifs, ordered tuples of distinct ids, and
 * one pair, the probe, is shown somewhere and again at the end.
 *
 * <pre>
 * vocabulary 16, a test example; keys of three ids from 0 … 6, values of 1 … 3 from 7 … 14, pad 15
 *
 *            pad │ key     val    │ key     val │ … │ key     (val)
 * inputs      15 │ 4  0  2  9 13  │ 1  6  0  8  │ … │ 4  0  2  9
 * train       4    0  2  9 13  1    6  0  8  …          0  2  9 13    the next token, always
 * test        ·    ·  ·  ·  ·  ·    ·  ·  ·  …          ·  ·  9 13    values of keys seen before
 * </pre>
 *
 * Training draws the lengths of all motifs uniformly; test keys always have the full length. The
 * sequence is padded on the left to L + 1 tokens, whose last is only a target. Where the probe did
 * not fit before the end (a few examples in a hundred) its value cannot be known and is not
 * labelled in tests; the reference labels it all the same.
 */
public final class FuzzyRecall implements Task {
  /**
   * Sizes and the longest motifs.
   *
   * @param vocabulary V: V − 1 pads, the lower half of the rest forms keys, the upper half values
   * @param length L
   * @param keyMotif longest key
   * @param valueMotif longest value
   */
  public record Config(int vocabulary, int length, int keyMotif, int valueMotif) {
    public Config {
      Check.atLeast(1, keyMotif, "keyMotif");
      Check.atLeast(1, valueMotif, "valueMotif");
      Check.that(
          keyMotif + valueMotif <= 8,
          "motifs of up to " + keyMotif + " and " + valueMotif + " tokens",
          "expected at most 8 together",
          "shorten them");
      int keyIds = (vocabulary - 1) / 2;
      int valueIds = vocabulary - 1 - keyIds;
      Check.that(
          keyIds >= keyMotif && valueIds >= valueMotif,
          "a vocabulary of "
              + vocabulary
              + " has "
              + keyIds
              + " key and "
              + valueIds
              + " value ids",
          "expected enough for motifs of distinct ids",
          "enlarge the vocabulary or shorten the motifs");
      Check.that(
          length > 2 * (keyMotif + valueMotif),
          "length is " + length,
          "expected more than the longest pair twice, " + 2 * (keyMotif + valueMotif),
          "lengthen the example");
    }
  }

  private final Config config;
  private final int keyIds;

  public FuzzyRecall(Config config) {
    this.config = config;
    this.keyIds = (config.vocabulary - 1) / 2;
  }

  @Override
  public String name() {
    return "fuzzy-in-context-recall";
  }

  @Override
  public Config config() {
    return config;
  }

  @Override
  public int vocabulary() {
    return config.vocabulary;
  }

  @Override
  public int length() {
    return config.length;
  }

  @Override
  public void write(Split split, RandomGenerator random, BatchWriter out) {
    int[] probe = key(split, random);
    Memory memory = new Memory(config.length + 1);
    int[] probeValue = value(random);
    memory.values.put(code(probe), probeValue);
    int probeSize = probe.length + probeValue.length;
    int probeAt = random.nextInt(config.length - 2 * probeSize);
    int end = config.length - probeSize - config.keyMotif - config.valueMotif;

    while (memory.sequence.size() < end) {
      boolean due =
          memory.sequence.size() >= probeAt && !memory.lastKeyEnd.containsKey(code(probe));
      int[] key = due ? probe : key(split, random);
      memory.values.computeIfAbsent(code(key), unseen -> value(random));
      memory.show(key);
    }
    memory.show(probe);
    memory.sequence.padLeft(config.vocabulary - 1);
    memory.sequence.write(split, out);
  }

  private int[] key(Split split, RandomGenerator random) {
    int size = split == Split.TEST ? config.keyMotif : 1 + random.nextInt(config.keyMotif);
    return Draw.distinct(random, 0, keyIds, size);
  }

  private int[] value(RandomGenerator random) {
    int size = 1 + random.nextInt(config.valueMotif);
    return Draw.distinct(random, keyIds, config.vocabulary - 1, size);
  }

  /** A motif as one number; different lengths never collide because digits start at 1. */
  private long code(int[] motif) {
    long code = 0;
    for (int id : motif) {
      code = code * config.vocabulary + id + 1;
    }
    return code;
  }

  /** The sequence so far and the pairs in it. */
  private final class Memory {
    final ShiftedSequence sequence;
    final Map<Long, int[]> values = new HashMap<>();
    final Map<Long, Integer> lastKeyEnd = new HashMap<>();

    Memory(int tokens) {
      sequence = new ShiftedSequence(tokens);
    }

    void show(int[] key) {
      long code = code(key);
      int[] value = values.get(code);
      if (value == null) {
        throw new IllegalStateException("a key without a value");
      }
      int keyEnd = sequence.size() + key.length - 1;
      @Nullable Integer previous = lastKeyEnd.put(code, keyEnd);
      int pairs = lastKeyEnd.size();
      for (int id : key) {
        sequence.add(id, pairs);
      }
      for (int id : value) {
        if (previous == null) {
          sequence.add(id, pairs);
        } else {
          sequence.addAnswer(id, pairs, keyEnd - previous);
        }
      }
    }
  }
}
