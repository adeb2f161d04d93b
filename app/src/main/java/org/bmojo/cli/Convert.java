package org.bmojo.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.error.BadInput;
import org.bmojo.foreign.HybridPlan;
import org.bmojo.io.Json;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.Selection;
import org.bmojo.mixer.StorageConfig;
import org.bmojo.model.LanguageModel;
import org.bmojo.surgery.AddEidetic;
import org.bmojo.surgery.AddStorage;
import org.bmojo.surgery.Operated;
import org.bmojo.surgery.Priming;
import org.bmojo.surgery.ResizeEidetic;
import org.bmojo.text.Tokenizer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;

/** {@code bmojo convert}: a model in another layout, as a hybrid, or with more memory. */
@Command(
    name = "convert",
    description = {
      "Writes a model in the layout of the project whose architecture it has (or in ours, if it is"
          + " like none), makes a hybrid of a Transformer, gives a B'MOJO-F eidetic memory, or a"
          + " B'MOJO memory in storage.",
    },
    footer = {
      "  ./bmojo convert --from runs/book --to book-hf",
      "  ./bmojo convert --from Qwen3-8B --pattern '*-BMF-*-BMF-…' --to hybrid",
      "  ./bmojo convert --from hybrid --eidetic 128 --to remembering",
      "  ./bmojo convert --from remembering --retrieved 16 --to library-user"
    })
final class Convert implements Callable<Integer> {
  @Mixin Answer answer;

  @Option(names = "--from", required = true, paramLabel = "FOLDER", description = "The model.")
  Path from;

  @Option(names = "--to", required = true, paramLabel = "FOLDER", description = "Receives it.")
  Path to;

  @Option(
      names = "--pattern",
      paramLabel = "P",
      description = "What each layer becomes: * (as it is), BMF, M2, GDN, GKA or SWA, by hyphens.")
  @Nullable String pattern;

  @Option(
      names = "--window",
      paramLabel = "W",
      description = "Tokens that BMF and SWA layers see (2048).")
  int window = 2048;

  @Option(
      names = "--fading",
      paramLabel = "SSM",
      description = "What BMF layers' state is: mamba2, gdn or gka (mamba2).")
  String fading = "mamba2";

  @Option(
      names = "--eidetic",
      paramLabel = "E",
      description =
          "Tokens that every B'MOJO layer keeps verbatim; where it does already, from now on.")
  @Nullable Integer eidetic;

  @Option(
      names = "--chunk",
      paramLabel = "C",
      description = "Tokens between refreshes of eidetic memory (128).")
  @Nullable Integer chunk;

  @Option(
      names = "--selection",
      paramLabel = "RULE",
      description = "Which tokens it keeps: ${COMPLETION-CANDIDATES} (innovation).")
  @Nullable Selection selection;

  @Option(
      names = "--retrieved",
      paramLabel = "R",
      description = "Entries that every layer with eidetic memory gets back from storage.")
  @Nullable Integer retrieved;

  @Option(
      names = "--queries",
      paramLabel = "S",
      description = "How many of the newest queries ask for them (${DEFAULT-VALUE}).")
  int queries = 4;

  @Option(names = "--seed", paramLabel = "N", description = "Of fresh weights (0).")
  long seed;

  @Option(names = "--own", description = "Write our own layout, whatever the model is like.")
  boolean own;

  /**
   * @param architecture in config.json
   * @param fresh parameters that hold random numbers and are to be trained
   */
  record Converted(String folder, String architecture, List<String> fresh) {}

  @Override
  public Integer call() {
    try (Checkpoint checkpoint = Checkpoint.open(from)) {
      LanguageModel model = checkpoint.model();
      List<LanguageModel> made = new ArrayList<>();
      List<String> fresh = new ArrayList<>();
      try {
        if (pattern != null) {
          HybridPlan plan = new HybridPlan(pattern, window, fading);
          model = add(Priming.prime(model, plan, seed), made, fresh);
        }
        if (eidetic != null) {
          model = add(remember(model, eidetic), made, fresh);
        }
        if (retrieved != null) {
          model = add(AddStorage.to(model, StorageConfig.of(retrieved, queries)), made, fresh);
        }
        Tokenizer tokenizer = checkpoint.hasTokenizer() ? checkpoint.tokenizer() : null;
        String architecture = write(model, tokenizer);
        answer.print(new Converted(to.toString(), architecture, fresh), text(architecture, fresh));
      } finally {
        made.forEach(LanguageModel::close);
      }
    }
    return ExitCode.OK;
  }

  private Operated remember(LanguageModel model, int capacity) {
    if (!ResizeEidetic.remembers(model)) {
      Selection rule = selection == null ? Selection.INNOVATION : selection;
      int tokens = chunk == null ? 128 : chunk;
      EideticConfig memory =
          EideticConfig.of(capacity, tokens, rule).predictingFrom(rule.predicts());
      return AddEidetic.to(model, memory, seed);
    }
    if (selection == null) return ResizeEidetic.to(model, capacity, chunk);
    throw new BadInput(
        "--selection for a model that has eidetic memory",
        "expected another size only: scores were learnt for the rule that it has",
        "Leave --selection out");
  }

  private static LanguageModel add(
      Operated operated, List<LanguageModel> made, List<String> fresh) {
    made.add(operated.model());
    fresh.addAll(operated.fresh());
    return operated.model();
  }

  private String write(LanguageModel model, @Nullable Tokenizer tokenizer) {
    if (to.toAbsolutePath().normalize().equals(from.toAbsolutePath().normalize())) {
      // The weights are still being read from there.
      throw new BadInput("--to is --from", "expected another folder", "Name a new one");
    }
    if (!own && Checkpoint.exportable(model)) {
      return Checkpoint.export(to, model, tokenizer, base());
    }
    Checkpoint.save(to, model, tokenizer);
    return Checkpoint.OWN_ARCHITECTURE;
  }

  /** What the source's config.json says beside the architecture; null if it is ours. */
  private @Nullable JsonNode base() {
    Path file = from.resolve("config.json");
    JsonNode config = Files.exists(file) ? Json.foreignTree(file) : null;
    return config == null || config.has("format") ? null : config;
  }

  private String text(String architecture, List<String> fresh) {
    StringBuilder text = new StringBuilder(to + ": " + architecture);
    if (!fresh.isEmpty()) text.append("\nfresh, and to be trained:");
    fresh.forEach(name -> text.append("\n  ").append(name));
    return text.toString();
  }
}
