package org.bmojo.bench;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import org.bmojo.bench.cpu.InferenceLab;
import org.bmojo.bench.decode.TokenLab;
import org.bmojo.bench.language.LanguageReport;
import org.bmojo.bench.serve.SoakLab;
import org.bmojo.bench.train.TrainAgreement;
import org.bmojo.bench.train.TrainLab;
import org.bmojo.error.BadInput;
import org.bmojo.model.Recompute;
import org.bmojo.text.TokenCount;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** {@code ./bmojo bench}: what docs/results was measured with. */
@Command(
    name = "bmojo bench",
    description = "Measures. Each laboratory proves what it times first.",
    subcommands = {
      Main.Train.class,
      Main.Decode.class,
      Main.Inference.class,
      Main.Agree.class,
      Main.Soak.class,
      Main.Language.class,
      HelpCommand.class
    },
    scope = ScopeType.INHERIT,
    mixinStandardHelpOptions = true,
    usageHelpWidth = 100,
    footerHeading = "%nExamples:%n",
    footer = {
      "  BMOJO_CUDA=1 ./bmojo bench train",
      "  BMOJO_CUDA=1 ./bmojo bench train --size 1.4b --shape 4x2048 mamba bmojo",
      "  BMOJO_CUDA=1 ./bmojo bench decode --batch 1,64 --context 1K,1M bmojo mamba",
      "  BMOJO_CUDA=1 ./bmojo bench decode --size 130m --prefill",
      "  BMOJO_CUDA=1 ./bmojo bench agree bmojo-small",
      "  ./bmojo bench inference --weights bf16,int4 --context 0,4096",
      "  ./bmojo bench soak --streams 64 --minutes 10",
      "  ./bmojo bench language results/language docs/results/language.md"
    })
public final class Main implements Runnable {
  @Spec CommandSpec spec;

  @Override
  public void run() {
    spec.commandLine().usage(spec.commandLine().getOut());
  }

  /** Runs the laboratory that is named. */
  public static void main(String[] args) {
    CommandLine line = new CommandLine(new Main());
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setExecutionExceptionHandler((e, command, parsed) -> {
      if (!(e instanceof BadInput)) throw e;
      command.getErr().println("bmojo bench: " + e.getMessage());
      return ExitCode.USAGE;
    });
    System.exit(line.execute(args));
  }

  /** Whole training steps. */
  @Command(
      name = "train",
      description = {
        "Tokens per second of whole training steps, by model family.",
        "One of several processes by RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT,"
            + " it takes a batch of that shape beside theirs, and the first counts all tokens."
      })
  static final class Train implements Callable<Integer> {
    @Option(
        names = "--size",
        paramLabel = "SIZE",
        description = "130m, 370m, 790m or 1.4b (${DEFAULT-VALUE}).")
    String size = "130m";

    @Option(
        names = "--shape",
        paramLabel = "BxT",
        description = "Sequences and their length (${DEFAULT-VALUE}).")
    String shape = "16x2048";

    @Option(names = "--profile", description = "What the GPU did, kernel by kernel (CUPTI).")
    boolean profile;

    @Option(names = "--graph", description = "Besides, each step as one CUDA graph.")
    boolean graph;

    @Option(
        names = "--recompute",
        paramLabel = "WHAT",
        description = "${COMPLETION-CANDIDATES} (${DEFAULT-VALUE}).")
    Recompute recompute = Recompute.NONE;

    @Parameters(arity = "0..*", paramLabel = "FAMILY", description = "All of them by default.")
    List<String> families = List.of();

    @Override
    public Integer call() {
      TrainLab.run(size, shape, families, new TrainLab.How(profile, graph, recompute));
      return ExitCode.OK;
    }
  }

  /** Tokens one by one. */
  @Command(
      name = "decode",
      description = "Tokens per second of models that answer, by family, batch and context.")
  static final class Decode implements Callable<Integer> {
    @Option(
        names = "--size",
        paramLabel = "SIZE",
        description = "130m, 370m, 790m or 1.4b (${DEFAULT-VALUE}).")
    String size = "1.4b";

    @Option(
        names = "--batch",
        split = ",",
        paramLabel = "B",
        description = "Sequences that answer together (1,64).")
    List<Integer> batches = List.of(1, 64);

    @Option(
        names = "--context",
        split = ",",
        paramLabel = "T",
        description = "Tokens read before, such as 1K or 1M (1K,1M).")
    List<String> contexts = List.of("1K", "1M");

    @Option(names = "--prefill", description = "Times prompts too.")
    boolean prefill;

    @Option(names = "--parts", description = "Times the matrices too, kind by kind (GPU).")
    boolean parts;

    @Parameters(arity = "0..*", paramLabel = "FAMILY", description = "All of them by default.")
    List<String> families = List.of();

    @Override
    public Integer call() {
      List<Long> lengths = contexts.stream().map(c -> (long) TokenCount.parse(c)).toList();
      TokenLab.run(size, batches, lengths, prefill, parts, families);
      return ExitCode.OK;
    }
  }

  /** Losses on a GPU beside the CPU's. */
  @Command(
      name = "agree",
      description = "The losses of the first hundred steps on a GPU beside those of the CPU.")
  static final class Agree implements Callable<Integer> {
    @Parameters(arity = "1..*", paramLabel = "PRESET", description = "Such as bmojo-small.")
    List<String> presets = List.of();

    @Override
    public Integer call() {
      TrainAgreement.run(presets);
      return ExitCode.OK;
    }
  }

  /** Tokens a second on the CPU. */
  @Command(
      name = "inference",
      description = {
        "Tokens per second of prompts and of decoding on the CPU, by model, weights and context.",
        "Decoding is told as a share of what all cores read from memory in the same seconds."
      })
  static final class Inference implements Callable<Integer> {
    @Option(
        names = "--weights",
        split = ",",
        paramLabel = "TYPE",
        description = "fp32, bf16, int8, int4 (${DEFAULT-VALUE}).")
    List<String> weights = List.of("fp32", "bf16", "int8", "int4");

    @Option(
        names = "--context",
        split = ",",
        paramLabel = "N",
        description = "Tokens behind those that are timed (${DEFAULT-VALUE}).")
    List<Integer> contexts = List.of(0, 4096);

    @Option(
        names = "--seconds",
        paramLabel = "S",
        description = "Of each measurement (${DEFAULT-VALUE}).")
    double seconds = 3;

    @Parameters(
        arity = "0..*",
        paramLabel = "MODEL",
        description = "Presets, or llama-135m (llama-135m mamba-130m bmojo-130m).")
    List<String> models = List.of("llama-135m", "mamba-130m", "bmojo-130m");

    @Override
    public Integer call() {
      InferenceLab.run(models, weights, contexts, seconds);
      return ExitCode.OK;
    }
  }

  /** A server under many clients. */
  @Command(
      name = "soak",
      description = {
        "Many clients at once against a server, of whom some dawdle and some leave in the midst.",
        "Every answer is compared with that to the same request alone. Exits with 1 if one is"
            + " wrong or fails, or a slot stays taken."
      })
  static final class Soak implements Callable<Integer> {
    @Option(names = "--streams", paramLabel = "N", description = "Clients (${DEFAULT-VALUE}).")
    int streams = 64;

    @Option(names = "--minutes", paramLabel = "M", description = "For so long (${DEFAULT-VALUE}).")
    double minutes = 10;

    @Option(
        names = "--requests",
        paramLabel = "N",
        description = "Different ones (${DEFAULT-VALUE}).")
    int requests = 200;

    @Option(names = "--seed", description = "Decides who asks what (${DEFAULT-VALUE}).")
    long seed = 1;

    @Parameters(arity = "0..1", paramLabel = "PRESET", description = "A small one (bmojo-tiny).")
    String preset = "bmojo-tiny";

    @Override
    public Integer call() throws Exception {
      Duration length = Duration.ofMillis((long) (minutes * 60_000));
      boolean clean = SoakLab.run(preset, streams, length, requests, seed);
      return clean ? ExitCode.OK : ExitCode.SOFTWARE;
    }
  }

  /** The page of the language experiments. */
  @Command(
      name = "language",
      description = "Fills a page's tables and draws its plots from what runs/language left.")
  static final class Language implements Callable<Integer> {
    @Parameters(
        index = "0",
        paramLabel = "RESULTS",
        description = "The folder OUT of runs/language.")
    Path results;

    @Parameters(index = "1", paramLabel = "PAGE", description = "The Markdown page to fill.")
    Path page;

    @Override
    public Integer call() {
      LanguageReport.write(results, page);
      return ExitCode.OK;
    }
  }
}
