package org.bmojo.text;

import java.util.Locale;
import org.bmojo.error.BadInput;

/** Numbers of tokens as people write them: 207, 4K for 4 × 1,024, 1M for 1,048,576. */
public final class TokenCount {
  private static final int K = 10, M = 20; // shifts

  private TokenCount() {}

  /**
   * The number that {@code text} means.
   *
   * @throws BadInput if it means none, or not one from 1 to 2³¹ − 1
   */
  public static int parse(String text) {
    String upper = text.toUpperCase(Locale.ROOT);
    int shift = upper.endsWith("K") ? K : upper.endsWith("M") ? M : 0;
    try {
      int number = Integer.parseInt(shift == 0 ? upper : upper.substring(0, upper.length() - 1));
      int tokens = Math.multiplyExact(number, 1 << shift);
      if (tokens > 0) return tokens;
    } catch (NumberFormatException | ArithmeticException e) {
      // Refused below.
    }
    throw new BadInput("length " + text, "expected a number such as 207, 64K or 1M", "Correct it");
  }

  /** The shortest text that means {@code tokens}: 207, 1536, 4K, 1M. */
  public static String format(long tokens) {
    if (tokens == 0) return "0";
    if (tokens % (1 << M) == 0) return (tokens >> M) + "M";
    return tokens % (1 << K) == 0 ? (tokens >> K) + "K" : Long.toString(tokens);
  }
}
