package org.bmojo.eval;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.bmojo.error.BadInput;

/**
 * How a document is cut into windows, each read from an empty memory, and which of a window's
 * tokens count. The literature's conventions for long documents differ in nothing else:
 *
 * <ul>
 *   <li>{@code stream}: the whole document is one window. What a model would have scored with a
 *       limit of T tokens is the mean over positions below T, so that one pass tells of every
 *       length.
 *   <li>{@code disjoint:T}: consecutive windows, the last one filled up with earlier tokens as
 *       context; every token counts once. The "rolling" perplexity of lm-evaluation-harness.
 *   <li>{@code strided:T:S}: the window moves on by S tokens, and the newest S count. With S = T it
 *       is the one before.
 *   <li>{@code mean:T:S}: the window moves on by S tokens, and all of its T count (LongLoRA).
 *   <li>{@code last:T:K}: at most ten windows, evenly spaced, and their last K tokens count
 *       (DeciMamba).
 * </ul>
 *
 * @param length T; for a stream, tokens of a document that are read at most
 * @param step S, or K
 */
public record Windows(Kind kind, int length, int step) {
  /** The conventions. */
  public enum Kind {
    STREAM,
    DISJOINT,
    STRIDED,
    MEAN,
    LAST
  }

  /** No limit. */
  public static final int ALL = Integer.MAX_VALUE;

  private static final int MOST_LAST = 10;

  /**
   * A piece of a document.
   *
   * @param from its first token; what it is predicted from is the token before alone
   * @param to where it ends
   * @param counted the first token that counts
   */
  public record Span(int from, int to, int counted) {}

  /** Refuses sizes that make no windows. */
  public Windows {
    if (length < 1 || step < 1 || step > length) {
      throw new BadInput(
          "windows of " + length + " tokens, " + step + " of them new",
          "expected at least 1, and no more new ones than there are",
          "Correct the sizes");
    }
  }

  /** Whole documents, or the first {@code length} tokens of each. */
  public static Windows stream(int length) {
    return new Windows(Kind.STREAM, length, length);
  }

  /** As users write it: {@code stream}, {@code disjoint:2048}, {@code strided:2048:512} … */
  public static Windows parse(String text) {
    String[] words = text.split(":", -1);
    try {
      Kind kind = Kind.valueOf(words[0].toUpperCase(Locale.ROOT));
      int numbers = words.length - 1;
      int wanted =
          switch (kind) {
            case STREAM -> Math.min(numbers, 1);
            case DISJOINT -> 1;
            case STRIDED, MEAN, LAST -> 2;
          };
      if (numbers == wanted) {
        int length = numbers > 0 ? Integer.parseInt(words[1]) : ALL;
        int step = numbers > 1 ? Integer.parseInt(words[2]) : length;
        return new Windows(kind, length, step);
      }
    } catch (IllegalArgumentException e) {
      // Falls through to the refusal, which says what would have been understood.
    }
    throw new BadInput(
        "windows " + text,
        "expected stream, stream:T, disjoint:T, strided:T:S, mean:T:S or last:T:K",
        "Try disjoint:2048");
  }

  /** Whether every token of a document counts, and once. */
  public boolean countsOnce() {
    return kind == Kind.DISJOINT || kind == Kind.STRIDED || kind == Kind.STREAM;
  }

  /**
   * The windows of a document.
   *
   * @param tokens in it
   * @return none for a document that is too short for a convention that wants whole windows
   */
  public List<Span> of(int tokens) {
    List<Span> spans = new ArrayList<>();
    switch (kind) {
      case STREAM -> spans.add(new Span(0, Math.min(tokens, length), 0));
      case DISJOINT, STRIDED -> {
        for (int done = 0; done < tokens; ) {
          int end = done == 0 ? Math.min(tokens, length) : Math.min(tokens, done + step);
          spans.add(new Span(Math.max(0, end - length), end, done));
          done = end;
        }
      }
      case MEAN -> {
        for (int from = 0; from + length <= tokens; from += step) {
          spans.add(new Span(from, from + length, from));
        }
      }
      case LAST -> {
        int free = tokens - length; // room for the windows' beginnings
        int count = free < 0 ? 0 : Math.min(MOST_LAST, free + 1);
        for (int i = 0; i < count; i++) {
          int from = count == 1 ? 0 : (int) ((long) free * i / (count - 1));
          spans.add(new Span(from, from + length, from + length - step));
        }
      }
    }
    return spans;
  }

  @Override
  public String toString() {
    String name = kind.name().toLowerCase(Locale.ROOT);
    return switch (kind) {
      case STREAM -> length == ALL ? name : name + ":" + length;
      case DISJOINT -> name + ":" + length;
      case STRIDED, MEAN, LAST -> name + ":" + length + ":" + step;
    };
  }
}
