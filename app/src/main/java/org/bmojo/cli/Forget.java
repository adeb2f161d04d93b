package org.bmojo.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.error.BadInput;
import org.bmojo.serve.Library;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code bmojo forget}: deletes from a library, for good. */
@Command(
    name = "forget",
    description = {
      "Deletes documents, sessions or what is old from a model's library.",
      "When it returns, the store's files hold no copy; what a file system keeps of deleted files,"
          + " and backups, are not its business."
    },
    footer = {
      "  ./bmojo forget runs/book --store library docs/secret.md",
      "  ./bmojo forget runs/book --store library --session monday",
      "  ./bmojo forget runs/book --store library --older-than 30"
    })
final class Forget implements Callable<Integer> {
  @Mixin Answer answer;
  @Mixin StoreOptions storage;
  @Mixin WeightsOption weights;

  @Parameters(index = "0", paramLabel = "MODEL", description = "A model's or a run's folder.")
  Path folder;

  @Parameters(
      index = "1..*",
      arity = "0..*",
      paramLabel = "DOC",
      description = "As they were named when they were remembered.")
  List<String> documents = List.of();

  @Option(names = "--session", paramLabel = "NAME", description = "What a session let go.")
  List<String> sessions = List.of();

  @Option(
      names = "--older-than",
      paramLabel = "DAYS",
      description = "What was stored more than so many days ago.")
  @Nullable Integer days;

  /**
   * @param deleted entries
   * @param entries that are left
   */
  record Forgotten(String store, long deleted, long entries) {}

  @Override
  public Integer call() {
    Path store = storage.store;
    if (store == null || !Files.isDirectory(store)) {
      throw new BadInput(
          store == null ? "no --store" : "no folder " + store,
          "expected a library's folder",
          "Name one with --store");
    }
    if (documents.isEmpty() && sessions.isEmpty() && days == null) {
      throw new BadInput(
          "nothing to forget",
          "expected documents, --session or --older-than",
          "Say what is to be deleted");
    }
    if (days != null && days < 0) {
      throw new BadInput(days + " days", "expected 0 or more", "Correct --older-than");
    }
    try (Checkpoint checkpoint = weights.open(folder);
        Library library = Objects.requireNonNull(storage.open(checkpoint.model()))) {
      long deleted = 0;
      for (String document : documents) deleted += library.forget(document);
      for (String session : sessions) deleted += library.forgetSession(session);
      if (days != null) deleted += library.expire(Instant.now().minus(Duration.ofDays(days)));
      Forgotten facts = new Forgotten(store.toString(), deleted, library.size());
      answer.print(
          facts, "%s: %,d entries deleted, %,d left".formatted(store, deleted, facts.entries));
    }
    return ExitCode.OK;
  }
}
