package org.bmojo.eval;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How well a model predicted one text.
 *
 * @param name the text's
 * @param category that it belongs to
 * @param length tokens in it
 * @param bytes of UTF-8 that the tokens counted stand for; null where some count more than once
 * @param tokens counted
 * @param nats their loss in all
 * @param bins the same by position, which is counted from where memory was empty
 */
public record LmScore(
    String name,
    String category,
    int length,
    @Nullable Long bytes,
    long tokens,
    double nats,
    List<Bin> bins) {
  /**
   * Positions from … to − 1.
   *
   * @param tokens counted at these positions
   * @param nats their loss
   */
  public record Bin(int from, int to, long tokens, double nats) {
    Bin plus(Bin other) {
      return new Bin(from, to, tokens + other.tokens, nats + other.nats);
    }

    /** Nats a token. */
    public double loss() {
      return nats / tokens;
    }
  }

  /** All of {@code scores} together, a sum over tokens; bytes only if all have them. */
  public static TextScore sum(List<LmScore> scores) {
    long tokens = 0, bytes = 0;
    double nats = 0;
    for (LmScore s : scores) {
      tokens += s.tokens;
      bytes += s.bytes == null ? 0 : s.bytes;
      nats += s.nats;
    }
    return new TextScore(scores.size(), tokens, bytes, nats);
  }

  /** The mean loss by position over {@code scores}; bins without tokens are left out. */
  public static List<Bin> curve(List<LmScore> scores) {
    List<Bin> curve = new ArrayList<>();
    for (LmScore s : scores) {
      for (int i = 0; i < s.bins.size(); i++) {
        if (i < curve.size()) {
          curve.set(i, curve.get(i).plus(s.bins.get(i)));
        } else {
          curve.add(s.bins.get(i));
        }
      }
    }
    return curve.stream().filter(b -> b.tokens > 0).toList();
  }

  /**
   * Positions {@code from} … {@code to} − 1 of a curve together; both powers of two, or 0.
   *
   * @return null if nothing was counted there
   */
  public static @Nullable Bin between(List<Bin> curve, int from, int to) {
    Bin sum = new Bin(from, to, 0, 0);
    for (Bin b : curve) if (b.from >= from && b.to <= to) sum = sum.plus(b);
    return sum.tokens == 0 ? null : sum;
  }

  /** Those of at least so many tokens: points of a curve compare only over one set of texts. */
  public static List<LmScore> atLeast(int length, List<LmScore> scores) {
    return scores.stream().filter(s -> s.length >= length).toList();
  }
}
