package org.bmojo.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.TrainingState;
import org.bmojo.data.Split;
import org.bmojo.data.TokenShards;
import org.bmojo.error.BadInput;
import org.bmojo.io.FileTrouble;

/**
 * What {@code bmojo train} leaves.
 *
 * <pre>
 *   model/          the latest checkpoint
 *   tokens/         the text as token shards, for training and held out
 *   metrics.jsonl   one line an event
 *   tensorboard/    event files, if asked for
 * </pre>
 */
record RunFolder(Path path) {
  Path model() {
    return path.resolve(Checkpoint.WITHIN_RUN);
  }

  Path tokens() {
    return path.resolve("tokens");
  }

  /** The run's own tokens, or those that were prepared for many. */
  Path tokens(TrainingState.Settings settings) {
    try {
      Path prepared = Path.of(settings.data());
      return TokenShards.exist(prepared, Split.Part.TRAIN) ? prepared : tokens();
    } catch (InvalidPathException e) {
      return tokens(); // FILE#FIELD need not be a path.
    }
  }

  Path metrics() {
    return path.resolve("metrics.jsonl");
  }

  /** Event files for TensorBoard. */
  Path tensorboard() {
    return path.resolve("tensorboard");
  }

  /** Makes the folder if there is none. */
  void create() {
    try {
      Files.createDirectories(path);
    } catch (IOException e) {
      throw FileTrouble.writing(path, e);
    }
  }

  /** Refuses a folder where a new run would replace what is not a run's. */
  void requireFree() {
    if (Files.exists(path) && !Files.isDirectory(path)) {
      throw new BadInput(path + " is a file", "expected a folder", "Choose another --out");
    }
    String[] files = path.toFile().list();
    if (files == null) return;
    for (String file : files) {
      // A run that was killed before its first checkpoint leaves tokens, and parts of them.
      if (file.equals("tokens") && TokenShards.exist(tokens(), Split.Part.TRAIN)) continue;
      if (file.equals("metrics.jsonl") || file.equals("tensorboard") || file.startsWith("."))
        continue;
      throw new BadInput(
          path + " holds " + file, "expected a folder for one run alone", "Choose another --out");
    }
  }
}
