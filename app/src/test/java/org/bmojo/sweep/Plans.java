package org.bmojo.sweep;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Sweeps whose trials take milliseconds. */
final class Plans {
  static final String TINY =
      """
      sweep: tiny
      window: 4
      seeds: [1, 2]
      training: {batch: 2, steps: 3, learningRates: [1e-3, 1e-2]}
      tasks:
        mqar:
          task: {kind: mqar, vocabulary: 32, length: 24, pairs: 2, testExamples: 5}
          changes: {length: [26, 30]}
      baselines:
        mamba:
          model: {family: mamba, width: 16, states: 2}
        bmojo:
          model: {family: bmojo, width: 16, states: 2, window: 4, eidetic: 4, selection: random}
          learningRates: [5e-3]
      changes:
        - of: [bmojo]
          grid: {eidetic: [0, 4, 8], chunk: [2, 4]}
          variants:
            no convolution: {convolution: 0}
            window and selection: {window: 3, selection: importance}
      """;

  private Plans() {}

  static Sweep tiny(Path folder) throws IOException {
    return read(folder, TINY);
  }

  static Sweep read(Path folder, String yaml) throws IOException {
    return Sweep.read(file(folder, yaml), Sweep.Overrides.NONE);
  }

  static Path file(Path folder, String yaml) throws IOException {
    return Files.writeString(folder.resolve("plan.yaml"), yaml);
  }
}
