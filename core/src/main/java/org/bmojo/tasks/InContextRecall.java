package org.bmojo.tasks;

import java.util.Arrays;
import java.util.random.RandomGenerator;

/**
 * MAD's in-context recall and, with noise, noisy in-context recall (Poli et al., <a
 * href="https://arxiv.org/abs/2403.17844">arXiv 2403.17844</a>): pairs with repetition, each key
 * keeping its value within the example. Every later showing of a key is a query.
 *
 * <pre>
 * vocabulary 8, length 12; keys 0 … 3, values 4 … 7; eleven positions
 *
 *              key val key val key val key val key val key (val)
 * inputs        1   6   3   4   1   6   0   6   3   4   1
 * train         6   3   4   1   6   0   6   3   4   1   6      the next token, always
 * test          ·   ·   ·   ·   6   ·   ·   ·   4   ·   6      values of keys seen before
 * distance                      4               6       6      to the key's last showing
 * </pre>
 *
 * With noise, each pair but one becomes, with the given probability, two independent ids from the
 * noise vocabulary. The single-query form puts a copy token before the last key and labels only
 * that key's value in tests.
 */
public final class InContextRecall implements Task {
  /**
   * Sizes, noise and which showings are queries.
   *
   * @param vocabulary V, counting noise ids and, for a single query, the copy token V − 1
   * @param length L, even: tokens drawn, the last of which is only a target
   * @param noiseIds how many ids, above keys and values, are noise
   * @param noise probability that a pair is noise, below 1; above 0 it needs noise ids
   * @param multiQuery whether tests label every repeated key or the last one alone
   */
  public record Config(int vocabulary, int length, int noiseIds, double noise, boolean multiQuery) {
    public Config {
      Check.that(
          length >= 4 && length % 2 == 0,
          "length is " + length,
          "expected an even number from 4 on",
          "room is needed for a pair and its repetition");
      Check.atLeast(0, noiseIds, "noiseIds");
      Check.fraction(noise, "noise");
      Check.that(
          noise == 0 || noiseIds >= 1,
          "noise " + noise + " without noise ids",
          "expected at least one noise id",
          "set noiseIds, or noise to 0");
      int usable = vocabulary - noiseIds - (multiQuery ? 0 : 1);
      Check.that(
          usable >= 2,
          "a vocabulary of " + vocabulary + " leaves " + usable + " ids for keys and values",
          "expected at least 2",
          "enlarge the vocabulary");
    }

    int usable() {
      return vocabulary - noiseIds - (multiQuery ? 0 : 1);
    }
  }

  private final Config config;

  public InContextRecall(Config config) {
    this.config = config;
  }

  @Override
  public String name() {
    return config.noise > 0 ? "noisy-in-context-recall" : "in-context-recall";
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
    return config.multiQuery ? config.length - 1 : config.length;
  }

  @Override
  public void write(Split split, RandomGenerator random, BatchWriter out) {
    int slots = config.length / 2 - 1; // the last pair is the probe
    int keyIds = config.usable() / 2;
    int[] valueOf = new int[keyIds];
    int[] lastShown = new int[keyIds];
    Arrays.fill(lastShown, -1);
    int[] shown = new int[keyIds]; // keys in the order of their first showing
    int count = 0;

    ShiftedSequence sequence = new ShiftedSequence(length() + 1);
    int reserved = random.nextInt(slots); // one slot is a pair whatever the noise
    for (int slot = 0; slot < slots; slot++) {
      if (slot != reserved && config.noise > 0 && random.nextDouble() < config.noise) {
        sequence.add(config.usable() + random.nextInt(config.noiseIds), count);
        sequence.add(config.usable() + random.nextInt(config.noiseIds), count);
        continue;
      }
      int key = random.nextInt(keyIds);
      int previous = lastShown[key];
      if (previous < 0) {
        shown[count++] = key;
        valueOf[key] = keyIds + random.nextInt(config.usable() - keyIds);
      }
      lastShown[key] = sequence.size();
      sequence.add(key, count);
      if (previous >= 0 && config.multiQuery) {
        sequence.addAnswer(valueOf[key], count, lastShown[key] - previous);
      } else {
        sequence.add(valueOf[key], count);
      }
    }
    if (!config.multiQuery) {
      sequence.add(config.vocabulary - 1, count);
    }
    int probe = shown[random.nextInt(count)];
    sequence.add(probe, count);
    sequence.addAnswer(valueOf[probe], count, sequence.size() - 1 - lastShown[probe]);
    sequence.write(split, out);
  }
}
