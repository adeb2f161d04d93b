package org.bmojo.cli;

import org.bmojo.generate.Decoding;
import org.bmojo.generate.Sampler;
import picocli.CommandLine.Option;

/**
 * How the next token is chosen: options that commands share as {@code @Mixin Sampling sampling}.
 */
final class Sampling {
  @Option(names = "--greedy", description = "Always take the likeliest token.")
  boolean greedy;

  @Option(
      names = "--temperature",
      paramLabel = "X",
      description = "Below 1 bolder in what is likely; 0 is --greedy (${DEFAULT-VALUE}).")
  double temperature = 0.8;

  @Option(
      names = "--top-k",
      paramLabel = "K",
      description = "Choose among the K likeliest; 0 for all (${DEFAULT-VALUE}).")
  int topK;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      description = "Among the likeliest that reach probability P (${DEFAULT-VALUE}).")
  double topP = 0.95;

  @Option(
      names = "--min-p",
      paramLabel = "P",
      description = "Only tokens with P of the likeliest one's probability (${DEFAULT-VALUE}).")
  double minP;

  @Option(
      names = "--repetition-penalty",
      paramLabel = "X",
      description = "Above 1, what the text has already becomes less likely (${DEFAULT-VALUE}).")
  double repetition = 1;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "The same seed gives the same text (${DEFAULT-VALUE}).")
  long seed = 1;

  Sampler sampler() {
    return Sampler.of(decoding());
  }

  Decoding decoding() {
    return Decoding.random(greedy ? 0 : temperature, topK, topP, seed)
        .withMinP(minP)
        .withPenalties(repetition, 0, 0);
  }
}
