package org.bmojo.eval;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import tools.jackson.databind.JsonNode;

/**
 * Published tests that are scored by how likely a model finds answers, asked word for word as
 * lm-evaluation-harness does, without examples. Rows are JSON objects with the data set's own keys.
 */
public enum LikelihoodTask {
  /** A passage's last word; keys {@code text}. */
  LAMBADA {
    @Override
    Item read(JsonNode row) {
      String text = words(row, "text");
      int space = text.lastIndexOf(' ');
      if (space < 0) throw bad("a text of one word", "text");
      return new Item(List.of(new Choice(text.substring(0, space), text.substring(space), "")), 0);
    }
  },
  /** How a story goes on; {@code activity_label, ctx_a, ctx_b, endings, label}. */
  HELLASWAG {
    @Override
    Item read(JsonNode row) {
      String story = words(row, "ctx_a") + " " + capitalised(words(row, "ctx_b"));
      String context = cleaned(words(row, "activity_label") + ": " + story);
      List<String> endings = strings(row, "endings").map(LikelihoodTask::cleaned).toList();
      return Item.of(context, endings, number(row, "label"));
    }
  },
  /** Which of two ways works; {@code goal, sol1, sol2, label}. */
  PIQA {
    @Override
    Item read(JsonNode row) {
      List<String> ways = List.of(words(row, "sol1"), words(row, "sol2"));
      return Item.of(question(words(row, "goal")), ways, number(row, "label"));
    }
  },
  /** School questions; {@code question, choices.text, choices.label, answerKey}. */
  ARC {
    @Override
    Item read(JsonNode row) {
      JsonNode choices = row.path("choices");
      List<String> labels = strings(choices, "label").toList();
      int gold = labels.indexOf(words(row, "answerKey"));
      return Item.of(question(words(row, "question")), strings(choices, "text").toList(), gold);
    }
  },
  /** Whom a pronoun means; {@code sentence} with a {@code _}, {@code option1, option2, answer}. */
  WINOGRANDE {
    @Override
    Item read(JsonNode row) {
      String sentence = words(row, "sentence");
      int gap = sentence.indexOf('_');
      if (gap < 0) throw bad("a sentence without _", "sentence");
      // The contexts differ, and what follows is the same.
      String rest = sentence.substring(gap + 1).strip();
      List<Choice> choices =
          Stream.of("option1", "option2")
              .map(o -> new Choice(sentence.substring(0, gap) + words(row, o), " " + rest, rest))
              .toList();
      return new Item(choices, number(row, "answer") - 1);
    }
  };

  /**
   * A possible answer.
   *
   * @param context what is read first
   * @param continuation what is scored
   * @param text whose length a score is divided by
   */
  public record Choice(String context, String continuation, String text) {}

  /**
   * A question.
   *
   * @param gold number of the right one
   */
  public record Item(List<Choice> choices, int gold) {
    /** Refuses a question without its answer. */
    public Item {
      if (gold < 0 || gold >= choices.size()) {
        throw new BadInput(
            "an answer " + gold + " of " + choices.size() + " choices",
            "expected one of them",
            "Correct the row, or take a split that has answers");
      }
    }

    static Item of(String context, List<String> texts, int gold) {
      return new Item(texts.stream().map(t -> new Choice(context, " " + t, t)).toList(), gold);
    }
  }

  /**
   * The question of a row.
   *
   * @throws BadInput if it lacks a key, or its answer is none
   */
  public Item item(JsonNode row) {
    return read(row);
  }

  abstract Item read(JsonNode row);

  /**
   * Whether there is one continuation only, and the question is whether the model would write it.
   */
  public boolean isCloze() {
    return this == LAMBADA;
  }

  /** As users write it. */
  public static LikelihoodTask named(String name) {
    for (LikelihoodTask task : values()) {
      // arc_easy, arc-challenge and lambada_openai are rows of the same form.
      if (name.toLowerCase(Locale.ROOT).startsWith(task.name().toLowerCase(Locale.ROOT)))
        return task;
    }
    throw new BadInput(
        "task " + name,
        "expected lambada, hellaswag, piqa, arc or winogrande",
        "Name one of them, such as arc_easy=FILE");
  }

  private static String question(String text) {
    return "Question: " + text + "\nAnswer:";
  }

  /** First letter large, all others small: what Python calls so. */
  private static String capitalised(String text) {
    if (text.isEmpty()) return text;
    int first = text.offsetByCodePoints(0, 1);
    return text.substring(0, first).toUpperCase(Locale.ROOT)
        + text.substring(first).toLowerCase(Locale.ROOT);
  }

  /** Without what WikiHow's markup left. */
  private static String cleaned(String text) {
    return text.strip().replace(" [title]", ". ").replaceAll("\\[.*?\\]", "").replace("  ", " ");
  }

  private static String words(JsonNode row, String key) {
    JsonNode value = row.path(key);
    if (!value.isString()) throw bad(value.isMissingNode() ? "no " + key : key + " " + value, key);
    return value.asString();
  }

  private static Stream<String> strings(JsonNode row, String key) {
    List<String> strings = new ArrayList<>();
    for (JsonNode value : row.path(key)) strings.add(value.asString());
    if (strings.isEmpty()) throw bad("no " + key, key);
    return strings.stream();
  }

  /** A number, which some files write as a string. */
  private static int number(JsonNode row, String key) {
    try {
      return Integer.parseInt(row.path(key).asString("").strip());
    } catch (NumberFormatException e) {
      throw bad(key + " " + row.path(key), key);
    }
  }

  private static BadInput bad(String found, String key) {
    return new BadInput(
        found, "expected " + key + " as the task's data sets have it", "Check the file");
  }
}
