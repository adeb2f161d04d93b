package org.bmojo.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.bmojo.checkpoint.ModelJson;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.Footprint;
import org.bmojo.model.ModelConfig;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;

/** {@code bmojo info}: what a model is made of and what it remembers with. */
@Command(
    name = "info",
    description = "Shows a model's architecture, parameters and the memory it needs per sequence.",
    footer = {
      "  ./bmojo info bmojo-small",
      "  ./bmojo info runs/book",
      "  ./bmojo info bmojo-small --json | jq .config > mine.json    edit, then train --model"
    })
final class Info implements Callable<Integer> {
  private static final long[] LENGTHS = {2 << 10, 32 << 10, 1 << 20};

  @Mixin Answer answer;

  @Parameters(
      paramLabel = "MODEL",
      description = "A model's or a run's folder, a configuration's JSON, or a preset's name.")
  String name;

  @Option(
      names = "--vocabulary",
      paramLabel = "V",
      description = "For a preset: how many ids (257 bytes; 50280 for the large ones).")
  @Nullable Integer vocabulary;

  /**
   * @param architecture as config.json calls it; null where there is none
   * @param parameters numbers in the weights
   * @param parts the same by part
   * @param states what is kept per sequence
   * @param config as {@code train --model} takes it
   */
  record Facts(
      String model,
      @Nullable String architecture,
      List<String> layers,
      long parameters,
      Map<String, Long> parts,
      List<State> states,
      JsonNode config) {}

  /**
   * @param tokens read so far
   * @param bytes kept to go on, in float32
   * @param transformerBytes what a Transformer of equal depth and heads would keep
   */
  record State(long tokens, long bytes, long transformerBytes) {}

  @Override
  public Integer call() {
    ModelConfig config =
        vocabulary == null ? ModelArgument.config(name) : ModelArgument.config(name, vocabulary);
    Map<String, Long> parts = Footprint.parameters(config);
    List<State> states = new ArrayList<>();
    for (long n : LENGTHS) {
      states.add(
          new State(n, Footprint.stateBytes(config, n), Footprint.transformerBytes(config, n)));
    }
    long parameters = parts.values().stream().mapToLong(Long::longValue).sum();
    Facts facts =
        new Facts(
            name,
            ModelArgument.architecture(name),
            layers(config),
            parameters,
            parts,
            states,
            ModelJson.write(config));
    answer.print(facts, text(facts, config));
    return ExitCode.OK;
  }

  private static String text(Facts facts, ModelConfig config) {
    StringBuilder text = new StringBuilder();
    line(text, "model", facts.model);
    if (facts.architecture != null) line(text, "architecture", facts.architecture);
    line(text, "width", "%d, vocabulary %d".formatted(config.width(), config.vocabulary()));
    facts.layers.forEach(l -> line(text, "layers", l));
    line(text, "parameters", String.format(Locale.ROOT, "%,d", facts.parameters));
    facts.parts.forEach((part, n) ->
        line(
            text,
            "",
            String.format(
                Locale.ROOT, "%-16s%,15d  %4.1f%%", part, n, 100.0 * n / facts.parameters)));
    line(text, "memory", "bytes per sequence in float32, and a Transformer's of equal size");
    for (State s : facts.states) {
      line(
          text,
          "",
          String.format(
              Locale.ROOT, "%,9d tokens%,15d%,18d", s.tokens, s.bytes, s.transformerBytes));
    }
    return text.toString().stripTrailing();
  }

  private static void line(StringBuilder text, String what, String value) {
    text.append(String.format(Locale.ROOT, "%-14s%s%n", what, value));
  }

  /** Equal blocks in a row, in one line each. */
  private static List<String> layers(ModelConfig config) {
    List<String> lines = new ArrayList<>();
    List<BlockConfig> blocks = config.layers();
    for (int from = 0, to; from < blocks.size(); from = to) {
      BlockConfig block = blocks.get(from);
      for (to = from; to < blocks.size() && blocks.get(to).equals(block); ) to++;
      lines.add((to - from) + " × " + mixer(block.mixer()) + perceptron(block));
    }
    return lines;
  }

  private static String perceptron(BlockConfig block) {
    if (block.mlp() == 0) return "";
    BlockConfig.ExpertsConfig experts = block.experts();
    String several = experts == null ? "" : experts.chosen() + " of " + experts.count() + " × ";
    return ", perceptron " + several + block.mlp();
  }

  private static String mixer(MixerConfig config) {
    List<String> parts = new ArrayList<>();
    if (config.ssm() != null) parts.add(config.ssm().toString());
    AttentionConfig a = config.attention();
    if (a != null) {
      String shared = a.kvHeads() == a.heads() ? "" : " over " + a.kvHeads();
      parts.add("%d heads%s of %d".formatted(a.heads(), shared, a.headDim()));
      parts.add(a.window() == null ? "full attention" : "window " + a.window());
      if (a.fading() > 0) parts.add("fading " + a.fading());
      if (a.eidetic() != null) {
        var e = a.eidetic();
        String by = e.selection().name().toLowerCase(Locale.ROOT);
        parts.add("eidetic %d by %s every %d".formatted(e.capacity(), by, e.chunk()));
      }
    }
    return String.join(", ", parts);
  }
}
