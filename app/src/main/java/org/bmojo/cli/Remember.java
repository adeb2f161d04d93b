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
    description = "Reads a document and writes what the model remembers of it: a small file.",
    footer = {
      "  ./bmojo remember runs/book manual.txt -o manual.bm",
      "  ./bmojo chat runs/book --memory manual.bm",
      "  ./bmojo remember runs/book more.txt --memory manual.bm -o both.bm"
    })
final class Remember implements Callable<Integer> {
  @Mixin Answer answer;

  @Parameters(index = "0", paramLabel = "MODEL", description = "A model's or a run's folder.")
  Path folder;

  @Parameters(index = "1", paramLabel = "DOC", description = "A text file in UTF-8.")
  Path document;

  @Option(
      names = {"-o", "--out"},
      paramLabel = "FILE",
      required = true,
      description = "The file to write.")
  Path out;

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

  @Override
  public Integer call() throws IOException {
    String text;
    try {
      text = Files.readString(document);
    } catch (IOException e) {
      throw FileTrouble.reading(document, e);
    }
    if (text.isEmpty()) {
      throw new BadInput(document + " is empty", "expected some text", "Name another file");
    }
    try (Checkpoint checkpoint = Checkpoint.open(folder);
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
      return ExitCode.OK;
    }
  }
}
