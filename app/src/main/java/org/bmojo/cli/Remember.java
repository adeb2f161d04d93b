package org.bmojo.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.error.BadInput;
import org.bmojo.io.FileTrouble;
import org.bmojo.serve.Library;
import org.bmojo.serve.Memory;
import org.bmojo.serve.Request;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code bmojo remember}: reads a document once and keeps what the model remembers of it. */
@Command(
    name = "remember",
    description = {
      "Reads a document and writes what the model remembers of it: a small file.",
      "With --store reads documents into a library, each of whose tokens can come back."
    },
    footer = {
      "  ./bmojo remember runs/book manual.txt -o manual.bm",
      "  ./bmojo chat runs/book --memory manual.bm",
      "  ./bmojo remember runs/book more.txt --memory manual.bm -o both.bm",
      "  ./bmojo remember runs/book --store library docs/*.md",
      "  ./bmojo chat runs/book --store library"
    })
final class Remember implements Callable<Integer> {
  @Mixin Answer answer;

  @Parameters(index = "0", paramLabel = "MODEL", description = "A model's or a run's folder.")
  Path folder;

  @Parameters(
      index = "1..*",
      arity = "1..*",
      paramLabel = "DOC",
      description = "A text file in UTF-8; any number of them with --store.")
  List<Path> documents = List.of();

  @Mixin StoreOptions storage;
  @Mixin WeightsOption weights;

  @Option(
      names = {"-o", "--out"},
      paramLabel = "FILE",
      description = "The file to write.")
  @Nullable Path out;

  @Option(
      names = "--memory",
      paramLabel = "FILE",
      description = "Read on after this memory, which stays as it is.")
  @Nullable Path memory;

  /**
   * @param tokens in the memory
   * @param bytes of the file
   */
  record Remembered(String file, long tokens, long bytes, double readSeconds, double saveSeconds) {}

  /**
   * @param tokens of the documents
   * @param entries in the store, all it has
   */
  record Stored(String store, int documents, long tokens, long entries, double seconds) {}

  @Override
  public Integer call() throws IOException {
    Path file = out, store = storage.store;
    if ((file == null) == (store == null)) {
      throw new BadInput(
          file == null ? "neither -o nor --store" : "-o and --store",
          "expected one of the two",
          "Name a file for a memory, or a folder for a library");
    }
    if (store != null) {
      store(store);
    } else if (file != null) {
      remember(file);
    }
    return ExitCode.OK;
  }

  private static String read(Path document) {
    String text;
    try {
      text = Files.readString(document);
    } catch (IOException e) {
      throw FileTrouble.reading(document, e);
    }
    if (!text.isEmpty()) return text;
    throw new BadInput(document + " is empty", "expected some text", "Name another file");
  }

  private void store(Path folder) {
    if (memory != null) {
      throw new BadInput("--memory and --store", "expected one of them", "Leave one out");
    }
    for (Path document : documents) read(document); // Refuses before anything is replaced.
    long begin = System.nanoTime(), tokens = 0;
    try (Checkpoint checkpoint = weights.open(this.folder);
        Library library = Objects.requireNonNull(storage.open(checkpoint.model()))) {
      for (Path document : documents) {
        tokens += library.remember(document.toString(), read(document), checkpoint.tokenizer());
      }
      library.compact();
      double seconds = (System.nanoTime() - begin) / 1e9;
      Stored facts =
          new Stored(folder.toString(), documents.size(), tokens, library.size(), seconds);
      answer.print(
          facts,
          "%s: %,d tokens of %d documents read in %.1f s; %,d entries in all"
              .formatted(folder, tokens, facts.documents, seconds, facts.entries));
    }
  }

  private void remember(Path out) throws IOException {
    if (documents.size() > 1) {
      throw new BadInput(
          documents.size() + " documents for one memory",
          "expected one",
          "Read them one after the other with --memory, or into a --store");
    }
    String text = read(documents.getFirst());
    try (Checkpoint checkpoint = weights.open(folder);
        Talk talk = new Talk(checkpoint)) {
      Memory from = memory == null ? null : talk.files().load(memory);
      long begin = System.nanoTime();
      Request request = Request.remember(checkpoint.tokenizer().encode(text)).after(from);
      try (Memory read = Objects.requireNonNull(talk.answer(request, List.of(), _ -> {}))) {
        long done = System.nanoTime();
        talk.files().save(out, read);
        long saved = System.nanoTime();
        var facts =
            new Remembered(
                out.toString(),
                read.length(),
                Files.size(out),
                (done - begin) / 1e9,
                (saved - done) / 1e9);
        answer.print(
            facts,
            "%s: %,d tokens in %,d bytes (read in %.1f s, saved in %.0f ms)"
                .formatted(
                    out, facts.tokens, facts.bytes, facts.readSeconds, 1000 * facts.saveSeconds));
      } finally {
        Memory.close(from);
      }
    }
  }
}
