package org.bmojo.cli;

import java.util.List;
import org.bmojo.tasks.TaskChoice;
import org.bmojo.tasks.TaskKind;
import org.bmojo.text.TokenCount;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;

/** The sizes of a synthetic task; null leaves the task's own. */
final class RecallTaskOptions {
  @Option(
      names = "--length",
      paramLabel = "L",
      converter = Tokens.class,
      description = "Tokens of a training example.")
  @Nullable Integer length;

  @Option(
      names = "--pairs",
      paramLabel = "N",
      description = "How many pairs, needles, chains or tokens to remember.")
  @Nullable Integer pairs;

  @Option(names = "--vocabulary", paramLabel = "V", description = "How many ids.")
  @Nullable Integer vocabulary;

  @Option(names = "--noise", paramLabel = "P", description = "Share of noise.")
  @Nullable Double noise;

  @Option(
      names = "--power",
      paramLabel = "A",
      description = "When MQAR asks: 1 at any time, near 0 rather early; published 0.01 (1).")
  @Nullable Double power;

  @Option(
      names = "--random-fillers",
      description = "MQAR's blanks are random ids, as published, instead of zeros; harder.")
  @Nullable Boolean randomFillers;

  @Option(
      names = "--examples",
      paramLabel = "N",
      description = "So many different training examples, again and again (endless; MAD 12,800).")
  @Nullable Long examples;

  @Option(
      names = "--every-scale",
      description =
          "Passkey: half of those trained on are as often near the question as far from it."
              + " Induction: half of the examples end early, at lengths of every scale.")
  @Nullable Boolean everyScale;

  @Option(
      names = "--test-lengths",
      paramLabel = "L,…",
      split = ",",
      converter = Tokens.class,
      description = "Test at these lengths, such as 1K,64K,1M (the training length).")
  @Nullable List<Integer> testLengths;

  @Option(
      names = "--test-pairs",
      paramLabel = "N,…",
      split = ",",
      description = "Test with so many pairs (as in training).")
  @Nullable List<Integer> testPairs;

  @Option(
      names = "--test-depths",
      paramLabel = "P,…",
      split = ",",
      description = "Hide the passkey there, from 0 (start) to 1 (anywhere).")
  @Nullable List<Double> testDepths;

  @Option(
      names = "--test-examples",
      paramLabel = "N",
      description = "Examples of every test (256, MAD 1280; fewer of those longer than 4K).")
  @Nullable Integer testExamples;

  TaskChoice choice(TaskKind kind) {
    return new TaskChoice(
        kind,
        length,
        pairs,
        vocabulary,
        noise,
        power,
        randomFillers,
        examples,
        everyScale,
        testLengths,
        testPairs,
        testDepths,
        testExamples);
  }

  /** A number of tokens such as 207, 64K (times 1,024) or 1M. */
  static final class Tokens implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String words) {
      return TokenCount.parse(words);
    }
  }
}
