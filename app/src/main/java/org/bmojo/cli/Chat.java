package org.bmojo.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.bmojo.chat.ChatTemplate;
import org.bmojo.chat.Message;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.error.BadInput;
import org.bmojo.serve.Library;
import org.bmojo.serve.Memory;
import org.bmojo.serve.Recollection;
import org.bmojo.serve.Request;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code bmojo chat}: a conversation on the terminal, of any length in constant memory. */
@Command(
    name = "chat",
    description = {
      "Talks with a model: a line from standard input is a turn.",
      "The model reads each turn once and remembers; the conversation is never read again."
    },
    footer = {
      "  ./bmojo chat runs/book",
      "  ./bmojo chat --memory manual.bm runs/book      about what it has read",
      "  ./bmojo chat runs/book --save talk.bm          to go on later with --memory talk.bm",
      "  ./bmojo chat runs/book --store library         recalling what it has read there"
    })
final class Chat implements Callable<Integer> {
  @Spec CommandSpec spec;
  @Mixin Sampling sampling;
  @Mixin StoreOptions storage;
  @Mixin WeightsOption weights;

  @Parameters(index = "0", paramLabel = "MODEL", description = "A model's or a run's folder.")
  Path folder;

  @Option(
      names = "--memory",
      paramLabel = "FILE",
      description = "Begin with this memory, which ./bmojo remember made with the same model.")
  @Nullable Path memory;

  @Option(
      names = "--save",
      paramLabel = "FILE",
      description = "Keep what is remembered at the end.")
  @Nullable Path save;

  @Option(
      names = "--session",
      paramLabel = "NAME",
      description =
          "Under which name the conversation lasts in the store; it does not without one.")
  @Nullable String session;

  @Option(
      names = "--sources",
      description = "Say after each answer which parts of documents came back from the store.")
  boolean sources;

  @Option(
      names = {"-n", "--tokens"},
      paramLabel = "N",
      description = "At most so many tokens an answer (${DEFAULT-VALUE}).")
  int tokens = 400;

  @Override
  public Integer call() throws IOException {
    if (tokens < 1) {
      throw new BadInput(tokens + " tokens an answer", "expected 1 or more", "Correct -n");
    }
    if (storage.store == null && (session != null || sources)) {
      throw new BadInput("--session or --sources alone", "expected --store", "Name a store");
    }
    try (Checkpoint checkpoint = weights.open(folder);
        Talk talk = new Talk(checkpoint, storage.open(checkpoint.model()))) {
      Library library = talk.library();
      ChatTemplate template = ChatTemplate.read(checkpoint.folder());
      Memory remembered = memory == null ? null : talk.files().load(memory);
      @Nullable Recollection way = null;
      try {
        PrintWriter out = spec.commandLine().getOut();
        // Not closed: standard input is not ours.
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
          if (line.isBlank()) continue;
          String text = template.render(List.of(Message.user(line)), remembered != null);
          Request request =
              talk.request(
                  remembered, checkpoint.tokenizer().encode(text), tokens, sampling.decoding());
          // One for all turns where nothing lasts: else each would forget what others let go.
          if (library != null && way == null) way = library.recollection(session);
          Memory next =
              talk.answer(
                  request.keeping().recalling(way),
                  template.stops(),
                  piece -> {
                    out.print(piece);
                    out.flush();
                  });
          out.println();
          if (sources && way != null) out.println(Sources.of(way));
          Memory.close(remembered);
          remembered = next;
        }
        if (save != null && remembered != null) talk.files().save(save, remembered);
        return ExitCode.OK;
      } finally {
        Memory.close(remembered);
      }
    }
  }
}
