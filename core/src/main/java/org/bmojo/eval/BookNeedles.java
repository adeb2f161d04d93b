package org.bmojo.eval;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.bmojo.error.BadInput;
import org.bmojo.eval.Continuations.Request;
import org.bmojo.text.Tokenizer;

/**
 * Needles in real text: sentences such as "The number of the amber falcon is 7 3 9 1 5." are put
 * into a long document, and at its end one of them is begun again. One needle asks for selection;
 * several, with names of their own, are recall of key–value pairs, all but one of them distractors.
 *
 * <p>The asked one stands at a given depth, the others anywhere. The context, question included,
 * has exactly the length asked for. Equal arguments give equal examples.
 */
public final class BookNeedles {
  private static final String[] FIRST = {
    "amber", "silent", "broken", "golden", "hollow", "crimson", "frozen", "gentle", "hidden",
        "iron",
    "lonely", "marble", "narrow", "olive", "purple", "rusty", "scarlet", "silver", "stormy",
        "velvet"
  };
  private static final String[] SECOND = {
    "falcon", "garden", "harbor", "island", "kettle", "ladder", "meadow", "mirror", "needle",
        "orchard",
    "pocket", "river", "saddle", "temple", "tunnel", "valley", "wagon", "window", "castle", "bridge"
  };
  private static final int DIGITS = 5;

  private final Tokenizer tokenizer;
  private final int pairs;

  /**
   * Examples with {@code pairs} needles.
   *
   * @param pairs 1 to 100
   */
  public BookNeedles(Tokenizer tokenizer, int pairs) {
    if (pairs < 1 || pairs > 100) {
      throw new BadInput(pairs + " pairs", "expected 1 to 100", "Correct --pairs");
    }
    this.tokenizer = tokenizer;
    this.pairs = pairs;
  }

  /** A name and its number. */
  private record Pair(String name, String number) {
    /** As it is told; the same words ask for it. */
    String asked() {
      return "\nThe number of the " + name + " is";
    }

    String told() {
      return asked() + number + ".\n";
    }
  }

  /**
   * An example.
   *
   * @param hay documents to take text from, joined where none is long enough
   * @param length tokens of the context
   * @param depth of the needle asked for, from 0, the beginning, to 1, just before the question
   * @param seed decides text, names, numbers and the other needles' places
   * @throws BadInput if there is less text than {@code length}, or no room for the needles
   */
  public Request example(List<int[]> hay, int length, double depth, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<Pair> told = pairs(random);
    int[] question = tokenizer.encode(told.getFirst().asked());
    int[] context = hidden(hay, length - question.length, told, depth, random);
    int[] asked = Arrays.copyOf(context, length);
    System.arraycopy(question, 0, asked, context.length, question.length);
    return new Request(asked, tokenizer.encode(told.getFirst().number()));
  }

  /**
   * A text to learn from: needles anywhere in it, and at its end each of them again, in another
   * order. About {@code length} tokens.
   *
   * @param length tokens
   * @throws BadInput as {@link #example}
   */
  public String lesson(List<int[]> hay, int length, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<Pair> told = pairs(random);
    String questions = told.reversed().stream().map(Pair::told).collect(Collectors.joining());
    int free = length - tokenizer.encode(questions).length;
    return tokenizer.decode(hidden(hay, free, told, random.nextDouble(), random)) + questions;
  }

  /**
   * Text of {@code length} tokens with all needles in it.
   *
   * @param depth of the first one
   */
  private int[] hidden(
      List<int[]> hay, int length, List<Pair> told, double depth, SplittableRandom random) {
    List<int[]> needles = told.stream().map(p -> tokenizer.encode(p.told())).toList();
    int needed = needles.stream().mapToInt(n -> n.length).sum();
    int free = length - needed; // tokens of text
    if (free < 0) {
      throw new BadInput(
          "a context of " + length + " tokens beside the question",
          "expected room for %d needles, %d tokens".formatted(pairs, needed),
          "Ask for longer contexts or fewer pairs");
    }
    int[] text = text(hay, free, random);
    int[] places = new int[pairs]; // tokens of text before each needle
    for (int i = 0; i < pairs; i++) {
      places[i] = i == 0 ? (int) Math.round(depth * free) : random.nextInt(free + 1);
    }
    int[] context = new int[length];
    int from = 0, at = 0;
    for (int i : inOrder(places)) {
      int count = places[i] - from;
      System.arraycopy(text, from, context, at, count);
      System.arraycopy(needles.get(i), 0, context, at + count, needles.get(i).length);
      from += count;
      at += count + needles.get(i).length;
    }
    System.arraycopy(text, from, context, at, free - from);
    return context;
  }

  private static int[] inOrder(int... places) {
    return IntStream.range(0, places.length)
        .boxed()
        .sorted(Comparator.comparingInt(i -> places[i]))
        .mapToInt(i -> i)
        .toArray();
  }

  /** Distinct names, each with a number of its own. */
  private List<Pair> pairs(SplittableRandom random) {
    Set<String> names = new LinkedHashSet<>();
    while (names.size() < pairs) {
      String first = FIRST[random.nextInt(FIRST.length)];
      names.add(first + " " + SECOND[random.nextInt(SECOND.length)]);
    }
    List<Pair> pairs = new ArrayList<>();
    for (String name : names) {
      StringBuilder number = new StringBuilder();
      // Digits with spaces between: tokenizers make one token of each.
      for (int d = 0; d < DIGITS; d++) number.append(' ').append(random.nextInt(10));
      pairs.add(new Pair(name, number.toString()));
    }
    return pairs;
  }

  /** Consecutive tokens from anywhere in a document, or from several with their ends between. */
  private int[] text(List<int[]> hay, int length, SplittableRandom random) {
    List<int[]> enough = hay.stream().filter(d -> d.length >= length).toList();
    if (!enough.isEmpty()) {
      int[] document = enough.get(random.nextInt(enough.size()));
      int from = random.nextInt(document.length - length + 1);
      return Arrays.copyOfRange(document, from, from + length);
    }
    int[] joined = new int[length];
    int first = random.nextInt(hay.size()), at = 0;
    for (int i = 0; i < hay.size() && at < length; i++) {
      int[] document = hay.get((first + i) % hay.size());
      int count = Math.min(document.length, length - at);
      System.arraycopy(document, 0, joined, at, count);
      at += count;
      if (at < length) joined[at++] = tokenizer.endOfDocument();
    }
    if (at == length) return joined;
    throw new BadInput(
        "text of " + at + " tokens",
        "expected " + length + " to hide needles in",
        "Give more text");
  }
}
