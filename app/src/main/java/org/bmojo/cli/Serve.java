package org.bmojo.cli;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.JsonEncoder;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.bmojo.chat.ChatTemplate;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.io.FileTrouble;
import org.bmojo.serve.Engine;
import org.bmojo.serve.EngineSettings;
import org.bmojo.serve.Library;
import org.bmojo.server.Server;
import org.bmojo.server.ServerSettings;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code bmojo serve}: a model over HTTP until somebody ends it. */
@Command(
    name = "serve",
    description = {
      "Serves a model over HTTP, as OpenAI's clients expect it, with a page to try it at /.",
      "Ends politely on Ctrl-C or SIGTERM: whoever is being answered still is."
    },
    footer = {
      "  ./bmojo serve runs/book                       then open http://localhost:8080",
      "  ./bmojo serve runs/book --sessions memories   keep what was read for the next start",
      "  ./bmojo serve runs/book --host 0.0.0.0 --api-key-file key.txt"
    })
final class Serve implements Callable<Integer> {
  private final CountDownLatch asked = new CountDownLatch(1);
  private final CountDownLatch gone = new CountDownLatch(1);

  @Spec CommandSpec spec;

  @Parameters(index = "0", paramLabel = "MODEL", description = "A model's or a run's folder.")
  Path folder;

  @Option(names = "--host", description = "Where to listen (${DEFAULT-VALUE}).")
  String host = "127.0.0.1";

  @Option(names = "--port", description = "0 for any free one (${DEFAULT-VALUE}).")
  int port = 8080;

  @Option(
      names = "--api-key-file",
      paramLabel = "FILE",
      description = "Ask for one of these keys, one a line; needed unless on 127.0.0.1.")
  @Nullable Path keys;

  @Option(
      names = "--name",
      description = "What the model is called; its folder's name if left out.")
  @Nullable String name;

  @Option(
      names = "--sessions",
      paramLabel = "FOLDER",
      description = "Where memories are kept; a temporary folder if left out.")
  @Nullable Path sessions;

  @Mixin StoreOptions storage;
  @Mixin WeightsOption weights;

  @Option(names = "--slots", description = "Sequences answered at once (${DEFAULT-VALUE}).")
  int slots = 8;

  @Option(names = "--queue", description = "Sequences that may wait (${DEFAULT-VALUE}).")
  int queue = 64;

  @Option(
      names = "--chunk",
      description = "Tokens of a prompt read between two steps (${DEFAULT-VALUE}).")
  int chunk = 256;

  @Option(
      names = "--longest",
      description = "Tokens of a prompt and its answer together (${DEFAULT-VALUE}).")
  int longest = 1 << 20;

  @Option(names = "--time", description = "Seconds that an answer may take (${DEFAULT-VALUE}).")
  int seconds = 600;

  @Option(names = "--body", description = "Bytes of a request (${DEFAULT-VALUE}).")
  int body = 8 << 20;

  @Option(
      names = "--drain",
      description = "Seconds to wait for answers at the end (${DEFAULT-VALUE}).")
  int drain = 30;

  @Option(names = "--log-json", description = "Log one JSON object a line.")
  boolean logJson;

  @Override
  public Integer call() throws IOException, InterruptedException {
    EngineSettings limits =
        new EngineSettings(slots, queue, chunk, longest, Duration.ofSeconds(seconds));
    if (sessions != null) {
      serve(limits, settings(sessions));
      return ExitCode.OK;
    }
    settings(folder); // Refuses what is wrong before there is anything to clean up.
    Path temporary = Files.createTempDirectory("bmojo-sessions");
    try {
      serve(limits, settings(temporary));
    } finally {
      delete(temporary);
      gone.countDown();
    }
    return ExitCode.OK;
  }

  private ServerSettings settings(Path store) {
    return new ServerSettings(
        host,
        port,
        keysIn(keys),
        name == null ? folder.toAbsolutePath().normalize().getFileName().toString() : name,
        store,
        body,
        1024,
        10_000,
        Duration.ofSeconds(30),
        Duration.ofSeconds(1));
  }

  private void serve(EngineSettings limits, ServerSettings settings) throws InterruptedException {
    log();
    Thread hook = new Thread(this::end, "drain");
    try (Checkpoint checkpoint = weights.open(folder);
        @Nullable Library library = storage.open(checkpoint.model());
        Engine engine = new Engine(checkpoint.model(), limits);
        Server server =
            new Server(
                settings,
                engine,
                checkpoint.tokenizer(),
                ChatTemplate.read(checkpoint.folder()),
                library)) {
      Runtime.getRuntime().addShutdownHook(hook);
      PrintWriter out = spec.commandLine().getOut();
      out.printf(
          "%s is at http://%s:%d (%d slots, %,d bytes of memory at most)%n",
          settings.name(),
          host.contains(":") ? "[" + host + "]" : host,
          server.port(),
          slots,
          limits.stateBytes(checkpoint.model().config()));
      out.flush();
      asked.await();
      server.drain(Duration.ofSeconds(drain));
    } finally {
      if (sessions != null) gone.countDown();
    }
  }

  /** SIGTERM and Ctrl-C run this; the JVM ends when it returns. */
  private void end() {
    asked.countDown();
    try {
      gone.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static List<String> keysIn(@Nullable Path file) {
    if (file == null) return List.of();
    try (var lines = Files.lines(file)) {
      return lines.map(String::strip).filter(line -> !line.isEmpty()).toList();
    } catch (IOException e) {
      throw FileTrouble.reading(file, e);
    }
  }

  private void log() {
    Logger ours = (Logger) LoggerFactory.getLogger("org.bmojo.server");
    if (!ours.isInfoEnabled()) ours.setLevel(Level.INFO);
    if (!logJson) return;
    LoggerContext context = ours.getLoggerContext();
    JsonEncoder encoder = new JsonEncoder();
    encoder.setContext(context);
    encoder.start();
    ConsoleAppender<ILoggingEvent> appender = new ConsoleAppender<>();
    appender.setContext(context);
    appender.setTarget("System.err");
    appender.setEncoder(encoder);
    appender.start();
    Logger root = context.getLogger(Logger.ROOT_LOGGER_NAME);
    root.detachAndStopAllAppenders();
    root.addAppender(appender);
  }

  private static void delete(Path folder) throws IOException {
    if (!Files.exists(folder)) return;
    try (var files = Files.list(folder)) {
      for (Path file : files.toList()) Files.delete(file);
    }
    Files.delete(folder);
  }
}
