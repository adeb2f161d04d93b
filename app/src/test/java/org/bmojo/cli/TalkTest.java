package org.bmojo.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.SmallPresets;
import org.bmojo.text.ByteTokenizer;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** remember, generate --memory, chat and serve, with a model that has not learnt anything. */
class TalkTest {
  private static final String DOCUMENT = "The cat sat on the mat. ".repeat(20);

  @TempDir Path home = Path.of("");
  private Path model = Path.of("");

  @BeforeEach
  void saved() {
    model = home.resolve("tiny");
    try (LanguageModel fresh = LanguageModel.create(SmallPresets.named("bmojo-tiny", 257), 1)) {
      Checkpoint.save(model, fresh, new ByteTokenizer());
    }
  }

  @Test
  void whatWasRememberedIsGoneOnFrom() throws IOException {
    Path document = Files.writeString(home.resolve("cats.txt"), DOCUMENT);
    Path memory = home.resolve("cats.bm");
    Cli remembered = Cli.run("remember", model, document, "-o", memory, "--json");
    assertThat(remembered.exitCode()).as(remembered.err()).isZero();
    assertThat(remembered.json().get("tokens").intValue()).isEqualTo(DOCUMENT.length());
    assertThat(remembered.json().get("bytes").longValue()).isEqualTo(Files.size(memory));
    Object[] after = {"generate", model, "And", "--memory", memory, "--greedy", "-n", 9, "--json"};
    Cli answer = Cli.run(after);
    assertThat(answer.exitCode()).as(answer.err()).isZero();
    Cli whole = Cli.run("generate", model, DOCUMENT + "And", "--greedy", "-n", 9, "--json");
    assertThat(answer.json().get("text")).isEqualTo(whole.json().get("text"));
    // Reading on, from the memory.
    Path longer = home.resolve("longer.bm");
    Cli more = Cli.run("remember", model, document, "--memory", memory, "-o", longer, "--json");
    assertThat(more.json().get("tokens").intValue()).isEqualTo(2 * DOCUMENT.length());
  }

  @Test
  void weightsInFewerBitsAnswerAndHaveMemoriesOfTheirOwn() throws IOException {
    Path document = Files.writeString(home.resolve("cats.txt"), DOCUMENT);
    Path memory = home.resolve("cats.bm");
    Object[] eighth = {"remember", model, document, "-o", memory, "--weights", "int8"};
    Cli remembered = Cli.run(eighth);
    assertThat(remembered.exitCode()).as(remembered.err()).isZero();
    Object[] after = {"generate", model, "And", "--memory", memory, "-n", 5, "--weights", "int8"};
    assertThat(Cli.run(after).exitCode()).isZero();
    Cli whole = Cli.run("generate", model, "And", "--memory", memory, "-n", 5);
    assertThat(whole.err()).contains("a state means nothing to other weights");
    for (String type : List.of("fp32", "bf16", "int4")) {
      Cli answer = Cli.run("generate", model, "And", "-n", 5, "--weights", type);
      assertThat(answer.exitCode()).as(answer.err()).isZero();
    }
    Cli wrong = Cli.run("generate", model, "And", "-n", 5, "--weights", "q4_0");
    assertThat(wrong.exitCode()).isEqualTo(2);
    assertThat(wrong.err()).contains("fp32, bf16, int8 or int4");
    Cli scored = Cli.run("eval", model, document, "--weights", "int8", "--json");
    assertThat(scored.exitCode()).as(scored.err()).isZero();
    Cli plain = Cli.run("eval", model, document, "--json");
    double bits = plain.json().get("bitsPerByte").doubleValue();
    assertThat(scored.json().get("bitsPerByte").doubleValue()).isCloseTo(bits, withinPercentage(1));
  }

  @Test
  void aLibraryIsReadOnceAndRecalledUntilItIsForgotten() throws IOException {
    Path reader = home.resolve("reader"), store = home.resolve("library");
    Cli given = Cli.run("convert", "--from", model, "--retrieved", 4, "--to", reader);
    assertThat(given.exitCode()).as(given.err()).isZero();
    Path cats = Files.writeString(home.resolve("cats.txt"), DOCUMENT);
    Path dogs = Files.writeString(home.resolve("dogs.txt"), "A dog barked. ".repeat(9));
    Cli remembered = Cli.run("remember", reader, cats, dogs, "--store", store, "--json");
    assertThat(remembered.exitCode()).as(remembered.err()).isZero();
    int tokens = DOCUMENT.length() + 9 * 14;
    assertThat(remembered.json().get("tokens").intValue()).isEqualTo(tokens);
    int entries = remembered.json().get("entries").intValue();
    assertThat(entries).isEqualTo(2 * 2 * tokens); // two layers of two heads

    String asked = talk("Who sat?\n", reader, "--store", store, "--sources", "-n", 5);
    assertThat(asked).contains("cats.txt at ");
    Object[] generate = {"generate", reader, "Who", "--store", store, "-n", 3};
    assertThat(Cli.run(generate).exitCode()).isZero();

    Cli forgotten = Cli.run("forget", reader, "--store", store, cats, "--json");
    assertThat(forgotten.json().get("deleted").intValue()).isEqualTo(4 * DOCUMENT.length());
    String after = talk("Who sat?\n", reader, "--store", store, "--sources", "-n", 5);
    assertThat(after).contains("dogs.txt at ").doesNotContain("cats.txt");
    Object[] old = {"forget", reader, "--store", store, "--older-than", 0, "--json"};
    assertThat(Cli.run(old).json().get("entries").intValue()).isZero();
  }

  @Test
  void librariesOfOtherModelsAndModelsWithoutStorageAreRefused() throws IOException {
    Path reader = home.resolve("reader"), store = home.resolve("library");
    assertThat(Cli.run("convert", "--from", model, "--retrieved", 4, "--to", reader).exitCode())
        .isZero();
    Path cats = Files.writeString(home.resolve("cats.txt"), DOCUMENT);
    assertThat(Cli.run("remember", reader, cats, "--store", store).exitCode()).isZero();
    Cli without = Cli.run("generate", model, "a", "--store", store);
    assertThat(without.exitCode()).isEqualTo(2);
    assertThat(without.err()).contains("none of whose layers has storage");
    Path other = home.resolve("other");
    Cli.run("convert", "--from", model, "--retrieved", 5, "--to", other);
    Cli foreign = Cli.run("generate", other, "a", "--store", store);
    assertThat(foreign.exitCode()).isEqualTo(2);
    assertThat(foreign.err()).contains("holds the memory of model");
    assertThat(Cli.run("remember", reader, cats).err()).contains("neither -o nor --store");
    assertThat(Cli.run("forget", reader, "--store", store).err()).contains("nothing to forget");
    assertThat(Cli.run("forget", reader, "--store", home.resolve("no"), "x").err())
        .contains("no folder");
    assertThat(Cli.run("chat", reader, "--sources").err()).contains("expected --store");
  }

  @Test
  void memoryIsGivenAnotherSize() throws IOException {
    Path small = home.resolve("small");
    Cli given = Cli.run("convert", "--from", model, "--eidetic", 3, "--to", small);
    assertThat(given.exitCode()).as(given.err()).isZero();
    String config = Files.readString(small.resolve("config.json")).replace(" ", "");
    assertThat(config).contains("\"capacity\":3,");
    assertThat(Cli.run("generate", small, "The cat", "-n", 3).exitCode()).isZero();
    Object[] other = {"convert", "--from", model, "--eidetic", 3, "--selection", "recent"};
    Cli refused = Cli.run(plus(other, "--to", home.resolve("no")));
    assertThat(refused.exitCode()).isEqualTo(2);
    assertThat(refused.err()).contains("--selection for a model that has eidetic memory");
  }

  private static Object[] plus(Object[] some, Object... more) {
    return Stream.concat(Arrays.stream(some), Arrays.stream(more)).toArray();
  }

  /** What the model says to lines of input, and all else. */
  private static String talk(String lines, Object... options) {
    InputStream before = System.in;
    try {
      System.setIn(new ByteArrayInputStream(lines.getBytes(StandardCharsets.UTF_8)));
      Object[] all = new Object[options.length + 1];
      all[0] = "chat";
      System.arraycopy(options, 0, all, 1, options.length);
      Cli run = Cli.run(all);
      assertThat(run.exitCode()).as(run.err()).isZero();
      return run.out();
    } finally {
      System.setIn(before);
    }
  }

  @Test
  void memoriesOfOtherModelsAndDamagedOnesAreRefused() throws IOException {
    Path document = Files.writeString(home.resolve("cats.txt"), DOCUMENT);
    Path memory = home.resolve("cats.bm");
    assertThat(Cli.run("remember", model, document, "-o", memory).exitCode()).isZero();
    Path other = home.resolve("other");
    try (LanguageModel fresh = LanguageModel.create(SmallPresets.named("bmojo-tiny", 257), 2)) {
      Checkpoint.save(other, fresh, new ByteTokenizer());
    }
    Cli foreign = Cli.run("generate", other, "a", "--memory", memory);
    assertThat(foreign.exitCode()).isEqualTo(2);
    assertThat(foreign.err()).contains("other weights");
    Files.write(memory, new byte[] {0}, StandardOpenOption.APPEND);
    Cli damaged = Cli.run("chat", model, "--memory", memory);
    assertThat(damaged.exitCode()).isEqualTo(2);
    assertThat(damaged.err()).contains("cut off or added to");
    Files.writeString(document, "");
    assertThat(Cli.run("remember", model, document, "-o", memory).err()).contains("is empty");
    assertThat(Cli.run("remember", model, home.resolve("no"), "-o", memory).exitCode())
        .isEqualTo(2);
  }

  @Test
  void aChatGoesOnAndIsKept() throws IOException {
    Path talk = home.resolve("talk.bm");
    InputStream before = System.in;
    System.setIn(new ByteArrayInputStream("Hello\n\nAnd now?\n".getBytes(StandardCharsets.UTF_8)));
    try {
      Cli chat = Cli.run("chat", model, "-n", 12, "--seed", 3, "--save", talk);
      assertThat(chat.exitCode()).as(chat.err()).isZero();
      assertThat(chat.out()).isNotBlank();
    } finally {
      System.setIn(before);
    }
    Cli on = Cli.run("generate", model, "", "--memory", talk, "-n", 3, "--json");
    assertThat(on.exitCode()).as(on.err()).isZero();
  }

  /** SIGTERM while an answer is written: it is written to its end. */
  @Test
  @Timeout(120)
  void aServerEndsPolitely() throws Exception {
    Assumptions.assumeFalse(
        System.getProperty("os.name").toLowerCase(Locale.ROOT).startsWith("windows"),
        "Windows has no polite kill");
    Process process = start("serve", model.toString(), "--port", "0", "--log-json");
    try (BufferedReader out =
            new BufferedReader(
                new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        HttpClient client = HttpClient.newHttpClient()) {
      Matcher url =
          Pattern.compile("http://127\\.0\\.0\\.1:\\d+")
              .matcher(Objects.requireNonNull(out.readLine()));
      assertThat(url.find()).isTrue();
      String body = "{\"model\":\"tiny\",\"prompt\":\"a\",\"max_tokens\":400,\"stream\":true}";
      HttpRequest request =
          HttpRequest.newBuilder(URI.create(url.group() + "/v1/completions"))
              .POST(BodyPublishers.ofString(body))
              .build();
      HttpResponse<InputStream> answer = client.send(request, BodyHandlers.ofInputStream());
      process.destroy();
      String all = new String(answer.body().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(all).endsWith("data: [DONE]\n\n");
      assertThat(process.waitFor()).isEqualTo(143); // 128 + SIGTERM, as for any program
      String log = Files.readString(home.resolve("err.txt"));
      assertThat(log).contains("\"loggerName\":\"org.bmojo.server.Server\"", "\"tokens\":\"");
    } finally {
      process.destroyForcibly();
    }
  }

  @Test
  void aServerForOthersWantsAKey() {
    Cli open = Cli.run("serve", model, "--host", "0.0.0.0", "--port", 0);
    assertThat(open.exitCode()).isEqualTo(2);
    assertThat(open.err()).contains("without an API key").contains("--api-key-file");
  }

  private Process start(String... args) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--enable-native-access=ALL-UNNAMED");
    command.add("--add-modules=jdk.incubator.vector");
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    command.addAll(List.of(args));
    return new ProcessBuilder(command).redirectError(home.resolve("err.txt").toFile()).start();
  }
}
