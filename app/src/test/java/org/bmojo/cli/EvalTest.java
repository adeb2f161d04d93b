package org.bmojo.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.SmallPresets;
import org.bmojo.text.ByteTokenizer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The commands below {@code eval}, on a model that has not learnt anything. */
class EvalTest {
  private static final JsonMapper JSON = JsonMapper.builder().build();

  @TempDir Path home = Path.of("");
  private Path model = Path.of("");
  private Path text = Path.of("");

  @BeforeEach
  void saved() throws IOException {
    model = home.resolve("model");
    try (LanguageModel fresh = LanguageModel.create(SmallPresets.named("bmojo-tiny", 257), 1)) {
      Checkpoint.save(model, fresh, new ByteTokenizer());
    }
    text =
        Files.writeString(home.resolve("cats.txt"), "the cat sat on a mat.\n".repeat(150)); // 3300
  }

  @Test
  void longDocumentsAreScoredByEveryConvention() throws IOException {
    Path out = home.resolve("o.jsonl"), page = home.resolve("o.html");
    Path other = Files.writeString(home.resolve("dogs.txt"), "dogs bark\n".repeat(13));
    Cli cli =
        Cli.run(
            "eval",
            "lm",
            model,
            "cats=" + text,
            "dogs=" + other,
            "--length",
            1100,
            "--windows",
            "stream",
            "--windows",
            "disjoint:207",
            "--out",
            out,
            "--page",
            page,
            "--json");
    assertThat(cli.exitCode()).as(cli.err()).isZero();
    List<JsonNode> lines = Files.readAllLines(out).stream().map(JSON::readTree).toList();
    assertThat(lines.getFirst().path("kind").asString()).isEqualTo("run");
    assertThat(lines).hasSize(1 + 2 * (2 + 3));
    JsonNode cats = lines.get(1);
    assertThat(cats.path("category").asString()).isEqualTo("cats");
    assertThat(cats.path("tokens").asInt()).isEqualTo(1100);
    assertThat(cats.path("bytes").asInt()).isEqualTo(1100);
    double nats = 0;
    for (JsonNode bin : cats.path("bins")) nats += bin.get(3).asDouble();
    assertThat(nats).isEqualTo(cats.path("nats").asDouble(), within(1e-6));
    JsonNode all = lines.get(5);
    assertThat(all.path("category").asString()).isEqualTo("all");
    assertThat(all.path("bytes").asInt()).isEqualTo(1100 + 130);
    assertThat(all.path("bitsPerByte").asDouble()).isBetween(7.5, 8.6);
    assertThat(cli.json().path("scores")).hasSize(6);
    assertThat(page).content().contains("<svg", "1K or more");
  }

  @Test
  void categoriesAreJoinedForLongerCurves() {
    Cli cli = Cli.run("eval", "lm", model, text, text, "--concatenate", "--length", 4096, "--json");
    assertThat(cli.exitCode()).as(cli.err()).isZero();
    JsonNode score = cli.json().path("scores").get(0);
    assertThat(score.path("documents").asInt()).isEqualTo(2); // 4,096 tokens and the rest
    assertThat(score.path("tokens").asInt()).isEqualTo(2 * 3301); // each with its end
    assertThat(score.path("bytes").asInt()).isEqualTo(2 * 3300);
    assertRefused(Cli.run("eval", "lm", model, text, "--concatenate"), "--length");
    assertRefused(Cli.run("eval", "lm", model, text, "--windows", "rolling:3"), "disjoint:T");
    assertRefused(Cli.run("eval", "lm", model, text, "--windows", "last:9000:100"), "no text of");
  }

  @Test
  void needlesAreAskedForInAGrid() throws IOException {
    Path out = home.resolve("n.jsonl");
    Cli cli =
        Cli.run(
            "eval",
            "needle",
            model,
            text,
            "--lengths",
            "207,1K",
            "--depths",
            "0,0.5,1",
            "--samples",
            2,
            "--out",
            out);
    assertThat(cli.exitCode()).as(cli.err()).isZero();
    List<JsonNode> lines = Files.readAllLines(out).stream().map(JSON::readTree).toList();
    assertThat(lines).hasSize(1 + 6);
    JsonNode last = lines.getLast();
    assertThat(last.path("length").asInt()).isEqualTo(1024);
    assertThat(last.path("depth").asDouble()).isEqualTo(1);
    assertThat(last.path("logLikelihood").asDouble()).isNegative();
    assertRefused(Cli.run("eval", "needle", model, text, "--depths", "2"), "0 to 1");
    assertRefused(Cli.run("eval", "needle", model, text, "--lengths", "1X"), "length 1X");
    assertRefused(Cli.run("eval", "needle", model, text, "--lengths", "60"), "room for");
  }

  @Test
  void publishedTestsAreAskedFromFiles() throws IOException {
    String row = "{\"goal\":\"Boil\",\"sol1\":\"heat\",\"sol2\":\"cool it\",\"label\":%d}\n";
    Path piqa = home.resolve("piqa.jsonl"), words = home.resolve("words.jsonl");
    Files.writeString(piqa, row.formatted(0) + "\n" + row.formatted(1));
    Files.writeString(words, "{\"text\":\"the cat sat\"}\n");
    Cli cli = Cli.run("eval", "tasks", model, "piqa=" + piqa, "lambada_openai=" + words, "--json");
    assertThat(cli.exitCode()).as(cli.err()).isZero();
    JsonNode score = cli.json().path("tasks").get(0).path("score");
    assertThat(score.path("items").asInt()).isEqualTo(2);
    assertThat(score.path("accuracy").asDouble()).isEqualTo(0.5); // The same choice for both.
    assertThat(cli.json().path("tasks").get(1).path("score").path("perplexity").asDouble())
        .isGreaterThan(1);
    Files.writeString(piqa, row.formatted(0) + row.formatted(2));
    assertRefused(Cli.run("eval", "tasks", model, "piqa=" + piqa), "line 2", "an answer 2");
    assertRefused(Cli.run("eval", "tasks", model, "mmlu=" + piqa), "expected lambada");
    assertRefused(Cli.run("eval", "tasks", model, "piqa"), "TASK=FILE");
  }

  @Test
  void lessonsAreTextsToTrainOn() throws IOException {
    Path out = home.resolve("lessons.jsonl");
    Cli cli = Cli.run("data", "needles", text, "--out", out, "--count", 13, "--pairs", 2);
    assertThat(cli.exitCode()).as(cli.err()).isZero();
    assertThat(Files.readAllLines(out)).hasSize(13).allMatch(l -> l.contains("The number of the"));
    assertRefused(
        Cli.run("data", "needles", text, "--out", out, "--pairs", 2, "--length", 99), "Correct");
  }

  @Test
  void trainingBeginsWithOtherWeights() {
    Path run = home.resolve("run");
    Object[] most = {
      "--out", run, "--from", model, "--steps", 1, "--batch", 1, "--context", 13, "--eval-every", 0
    };
    Cli cli = train(most);
    assertThat(cli.exitCode()).as(cli.err()).isZero();
    Path other = home.resolve("other");
    most[1] = other;
    Cli wider = train(plus(most, "--model", "bmojo-small"));
    assertRefused(wider, "expected a model with the same weights");
    assertRefused(train(plus(most, "--tokenizer", "byte")), "--tokenizer beside --from");
  }

  @Test
  void memoryIsCarriedAndWindowsVaryIfAsked() {
    Object[] most = {
      "--out", home.resolve("run"), "--steps", 3, "--batch", 2, "--context", 63, "--eval-every", 0
    };
    Object[] recipe = {"--carry-state", "--reset", 0.5, "--random-window", 0.25};
    Cli cli = train(plus(plus(most, "--model", "bmojo-tiny"), recipe));
    assertThat(cli.exitCode()).as(cli.err()).isZero();
    most[1] = home.resolve("separate");
    Object[] apart = {"--model", "bmojo-tiny", "--documents", "separate"};
    Cli separate = train(plus(plus(most, apart), recipe));
    assertThat(separate.exitCode()).as(separate.err()).isZero();
    most[1] = home.resolve("other");
    assertRefused(train(plus(most, "--documents", "mixed")), "JOINED, SEPARATE");
    assertRefused(train(plus(most, "--reset", 0.5)), "--carry-state");
    assertRefused(
        train(plus(most, "--carry-state", "--recompute", "blocks")), "cannot be run twice");
    assertRefused(train(plus(most, "--random-window", 2)), "expected shares");
    assertRefused(train(plus(most, "--graph")), "expected one GPU");
    assertThat(home.resolve("other")).doesNotExist();
  }

  private Cli train(Object... options) {
    return Cli.run(plus(new Object[] {"train", text}, options));
  }

  private static Object[] plus(Object[] some, Object... more) {
    Object[] all = Arrays.copyOf(some, some.length + more.length);
    System.arraycopy(more, 0, all, some.length, more.length);
    return all;
  }

  private static void assertRefused(Cli cli, String... words) {
    assertThat(cli.exitCode()).as(cli.err()).isEqualTo(2);
    assertThat(cli.err()).contains(words);
  }
}
