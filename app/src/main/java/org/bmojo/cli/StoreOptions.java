package org.bmojo.cli;

import java.nio.file.Path;
import org.bmojo.model.LanguageModel;
import org.bmojo.serve.Library;
import org.bmojo.store.StoreLimits;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Which library a model recalls from. */
final class StoreOptions {
  @Option(
      names = "--store",
      paramLabel = "FOLDER",
      description = "The model's memory in storage; made if there is none.")
  @Nullable Path store;

  @Option(
      names = "--store-entries",
      paramLabel = "N",
      description = "Keep at most so many entries there, the most surprising (no limit).")
  long entries = Long.MAX_VALUE;

  /** The library, to be closed; null where none is asked for. */
  @Nullable Library open(LanguageModel model) {
    return store == null ? null : Library.open(store, model, new StoreLimits(entries));
  }
}
