package org.bmojo.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.eval.RecallModel;
import org.bmojo.mixer.FarPositions;
import org.bmojo.mixer.Selection;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.SmallPresets;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** A small model for recall: a family with sizes, or any other model by its name or file. */
final class RecallModelOptions {
  @Option(
      names = "--model",
      paramLabel = "MODEL",
      description = {
        "bmojo, bmojo-f, mamba, mamba2, gated-delta-net, sliding, transformer or hybrid, to which"
            + " the sizes below belong; or a preset or a configuration's JSON; see info"
            + " (${DEFAULT-VALUE})."
      })
  String model = "bmojo";

  @Option(names = "--width", paramLabel = "D", description = "Model width (64).")
  @Nullable Integer width;

  @Option(names = "--layers", paramLabel = "N", description = "Layers (2).")
  @Nullable Integer layers;

  @Option(names = "--heads", paramLabel = "H", description = "Heads (1).")
  @Nullable Integer heads;

  @Option(
      names = "--kv-heads",
      paramLabel = "G",
      description = "Heads of keys and values, shared by the others (as many).")
  @Nullable Integer kvHeads;

  @Option(
      names = "--front",
      paramLabel = "W",
      description = "A first layer that is such a window alone; 0 for layers all alike (0).")
  @Nullable Integer front;

  @Option(
      names = "--mlp",
      paramLabel = "N",
      description = "Inner width of a perceptron after every mixer; 0 for none (0).")
  @Nullable Integer mlp;

  @Option(
      names = "--ssm",
      paramLabel = "KIND",
      description = "Fading memory: ${COMPLETION-CANDIDATES} (MAMBA).")
  RecallModel.@Nullable StateSpace ssm;

  @Option(names = "--states", paramLabel = "N", description = "N of fading memory (8).")
  @Nullable Integer states;

  @Option(names = "--window", paramLabel = "W", description = "Tokens attention sees (8).")
  @Nullable Integer window;

  @Option(names = "--fading", paramLabel = "F", description = "Fading keys behind it (W).")
  @Nullable Integer fading;

  @Option(
      names = "--tied-fading",
      negatable = true,
      description = "Fading keys use the window's matrices, or with --no-tied-fading their own.")
  @Nullable Boolean tiedFading;

  @Option(
      names = "--convolution",
      paramLabel = "N",
      description = "Width of the short convolution before attention; 0 for none (4).")
  @Nullable Integer convolution;

  @Option(
      names = "--eidetic",
      paramLabel = "E",
      description = "Tokens kept verbatim; 0 for none (16).")
  @Nullable Integer eidetic;

  @Option(
      names = "--trained-eidetic",
      paramLabel = "E",
      description = "Tokens kept verbatim while it trains; little room teaches to choose (E).")
  @Nullable Integer trainedEidetic;

  @Option(
      names = "--chunk",
      paramLabel = "C",
      description = "Tokens between refreshes (16, or W if that is less).")
  @Nullable Integer chunk;

  @Option(
      names = "--selection",
      paramLabel = "RULE",
      description = "Who is kept: ${COMPLETION-CANDIDATES} (CONTEXTUAL).")
  @Nullable Selection selection;

  @Option(
      names = "--positions",
      paramLabel = "RULE",
      description = "Where the kept ones stand: ${COMPLETION-CANDIDATES} (FIXED).")
  @Nullable FarPositions positions;

  @Option(
      names = "--modulated",
      negatable = true,
      description = "The score joins the attention's logits (not).")
  @Nullable Boolean modulated;

  @Option(
      names = "--early",
      negatable = true,
      description = "Tokens about to leave the window may be kept already (where C ≤ W).")
  @Nullable Boolean early;

  @Option(
      names = "--scale-free",
      negatable = true,
      description = "Innovation predicts from the state's normalised output (where it predicts).")
  @Nullable Boolean scaleFree;

  @Option(
      names = "--retrieved",
      paramLabel = "R",
      description = "Tokens that come back from storage for a chunk; 0 for no storage (0).")
  @Nullable Integer retrieved;

  @Option(
      names = "--queries",
      paramLabel = "N",
      description = "How many of the newest queries ask storage (4).")
  @Nullable Integer queries;

  /** The model named, with ids for a task. */
  ModelConfig config(int vocabulary) {
    for (RecallModel.Family family : RecallModel.Family.values()) {
      if (family.label().equals(model)) return sized(family).config(vocabulary);
    }
    if (sizes().anyMatch(Objects::nonNull)) {
      throw new BadInput(
          "sizes for " + model,
          "expected one of " + families() + ", which take sizes",
          "Leave the sizes out, or choose one of these");
    }
    boolean file = Files.exists(Path.of(model)) || model.endsWith(".json");
    if (!file && !SmallPresets.names().contains(model)) {
      throw new BadInput(
          "model " + model,
          "expected one of " + families() + ", a preset, or a configuration's JSON",
          "./bmojo recall --help shows them; for presets see ./bmojo info --help");
    }
    ModelConfig config = ModelArgument.config(model, vocabulary);
    if (config.vocabulary() < vocabulary) {
      throw new BadInput(
          model + " has " + config.vocabulary() + " ids",
          "expected at least the task's " + vocabulary,
          "Enlarge the model's vocabulary, or lower the task's with --vocabulary");
    }
    return config;
  }

  /** The narrowest window of the model, as the unit of distances: --window, or 8. */
  int unit() {
    return window == null ? 8 : window;
  }

  private RecallModel sized(RecallModel.Family family) {
    return new RecallModel(
        family,
        width,
        layers,
        heads,
        kvHeads,
        mlp,
        front,
        null,
        ssm,
        states,
        window,
        fading,
        convolution,
        null,
        tiedFading,
        eidetic,
        trainedEidetic,
        chunk,
        selection,
        positions,
        modulated,
        early,
        scaleFree,
        retrieved,
        queries);
  }

  private Stream<Object> sizes() {
    return Stream.of(
        width,
        layers,
        heads,
        kvHeads,
        mlp,
        front,
        ssm,
        states,
        window,
        fading,
        convolution,
        tiedFading,
        eidetic,
        trainedEidetic,
        chunk,
        selection,
        positions,
        modulated,
        early,
        scaleFree,
        retrieved,
        queries);
  }

  private static String families() {
    return Arrays.stream(RecallModel.Family.values())
        .map(RecallModel.Family::label)
        .collect(Collectors.joining(", "));
  }
}
