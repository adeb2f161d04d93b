package org.bmojo.cli;

import java.nio.file.Path;
import org.bmojo.checkpoint.Checkpoint;

/**
 * What {@code bmojo train} leaves.
 *
 * <pre>
 *   model/          the latest checkpoint
 *   tokens/         the text as token shards, for training and held out
 *   metrics.jsonl   one line an event
 * </pre>
 */
record RunFolder(Path path) {
  Path model() {
    return path.resolve(Checkpoint.WITHIN_RUN);
  }

  Path tokens() {
    return path.resolve("tokens");
  }

  Path metrics() {
    return path.resolve("metrics.jsonl");
  }
}
