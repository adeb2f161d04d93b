package org.bmojo.bench.serve;

import java.util.random.RandomGenerator;

/**
 * A request whose answer is known, since the same seed makes the same answer, and how its client
 * behaves.
 *
 * @param prompt of letters, digits and blanks
 * @param tokens to ask for
 * @param seed of the sampler
 */
record SoakRequest(String prompt, int tokens, long seed) {
  /** What a client does with an answer. */
  enum Manner {
    /** Reads it as it comes. */
    READS,
    /** Reads it in small pieces, with pauses. */
    DAWDLES,
    /** Goes away in the midst of it. */
    LEAVES
  }

  private static final String LETTERS = "abcdefghijklmnopqrstuvwxyz 0123456789";

  static SoakRequest draw(RandomGenerator random) {
    // Short prompts and long ones, as there are short and long documents.
    int length = (int) Math.pow(2, random.nextDouble(0, 10));
    StringBuilder prompt = new StringBuilder();
    for (int i = 0; i < length; i++) {
      prompt.append(LETTERS.charAt(random.nextInt(LETTERS.length())));
    }
    return new SoakRequest(prompt.toString(), random.nextInt(1, 65), random.nextInt(1_000_000));
  }

  static Manner manner(RandomGenerator random) {
    int of = random.nextInt(10);
    return of < 7 ? Manner.READS : of < 8 ? Manner.DAWDLES : Manner.LEAVES;
  }

  /** Its JSON; nothing in the prompt needs an escape. */
  String body() {
    return """
    {"prompt":"%s","max_tokens":%d,"seed":%d,"temperature":0.8,"ignore_eos":true,"stream":true}\
    """
        .formatted(prompt, tokens, seed);
  }
}
