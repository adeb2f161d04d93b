package org.bmojo.bench.cpu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.SplittableRandom;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.op.PackedMatrix;
import org.bmojo.kernels.op.PackedMatrix.Format;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.ModelState;
import org.bmojo.model.SmallPresets;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Tokens a second on the CPU: reading a prompt, and one token after the other with so much context
 * behind them. Random weights, whose speed is that of any others. Before anything is timed, the
 * packed model's logits are compared with those of a float32 model that holds the same numbers.
 */
public final class InferenceLab {
  private static final int PROMPT = 512, CHUNK = 512, SHORT = 24;
  private static final double TOLERANCE = 1e-3, PREFILL_TOLERANCE = 0.05;

  /** Tokens that are timed together: the best and the middle of such stretches are told. */
  private static final int STRETCH = 32;

  private static final String LLAMA = "llama-135m";

  private final ReadRate reads = new ReadRate();
  private final double seconds;

  private InferenceLab(double seconds) {
    this.seconds = seconds;
  }

  /**
   * Measures and prints.
   *
   * @param models presets, or {@code llama-135m}, a published Transformer's shape
   * @param contexts tokens read before decoding is timed
   * @param seconds of decoding for each line
   */
  public static void run(
      List<String> models, List<String> weights, List<Integer> contexts, double seconds) {
    List<Format> formats = weights.stream().map(Format::named).toList();
    InferenceLab lab = new InferenceLab(seconds);
    System.out.println(
        "| model | weights | context | prefill tok/s | decode tok/s, best | median | MB a token |"
            + " read GB/s | share of it | resident MB |");
    System.out.println("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for (String name : models) {
      for (Format format : formats) lab.measure(name, format, contexts);
    }
  }

  private static ModelConfig config(String name) {
    if (!name.equals(LLAMA)) return SmallPresets.named(name, 50_280);
    AttentionConfig attention =
        new AttentionConfig(9, 3, 64, null, 0, 0, false, true, 10_000, null);
    BlockConfig block = new BlockConfig(new MixerConfig(null, attention), 1536);
    return ModelConfig.uniform(49_152, 576, 30, block);
  }

  private void measure(String name, Format format, List<Integer> contexts) {
    ModelConfig config = config(name);
    try (LanguageModel model = LanguageModel.create(config, 1)) {
      model.pack(format);
      prove(model, config);
      double prefill = prefill(model);
      for (int context : contexts) decode(name, format, model, context, prefill);
    }
  }

  /** Steps and prompts against a float32 model with the very numbers that the packed one has. */
  private static void prove(LanguageModel model, ModelConfig config) {
    try (Scope _ = new Scope();
        LanguageModel whole = LanguageModel.create(config, 1);
        ModelState state = model.newState(1)) {
      whole
          .parameters()
          .forEach((name, p) -> {
            PackedMatrix packed = parameter(model, name).packed();
            if (packed != null) p.value().copy_(packed.unpacked());
          });
      Tensor ids = Ids.tensor(ids(2, SHORT));
      PackedMatrix head = model.packedHead();
      Tensor hidden;
      try (Tape tape = Tape.off()) {
        hidden = whole.hidden(tape, ids, null).value();
      }
      Tensor table = parameter(whole, "embed_tokens.weight").value();
      Tensor wanted = hidden.matmul((head == null ? table : head.unpacked()).t());
      refuse(model.logits(ids, null), wanted, PREFILL_TOLERANCE, "a prompt's logits");
      for (int t = 0; t < SHORT; t++) {
        Tensor logits = model.step(ids.narrow(1, t, 1), state);
        refuse(logits, wanted.select(1, t), TOLERANCE, "token " + t + "'s logits");
      }
    }
  }

  private static Parameter parameter(LanguageModel model, String name) {
    return Objects.requireNonNull(model.parameters().get(name), name);
  }

  private static void refuse(Tensor mine, Tensor wanted, double tolerance, String what) {
    Tensor truth = wanted.to(ScalarType.Double);
    double off = mine.to(ScalarType.Double).sub(truth).norm().item_double();
    double error = off / truth.norm().item_double();
    if (error <= tolerance) return;
    throw new BadInput(
        "%s are off by %.1e".formatted(what, error),
        "expected at most %.1e".formatted(tolerance),
        "Mend the kernels before timing them");
  }

  private double prefill(LanguageModel model) {
    Tensor ids = Ids.tensor(ids(3, PROMPT));
    double best = Double.MAX_VALUE;
    long end = System.nanoTime() + (long) (seconds * 1e9);
    for (int i = 0; i < 4 || System.nanoTime() < end; i++) {
      try (Scope _ = new Scope();
          ModelState state = model.newState(1)) {
        long start = System.nanoTime();
        model.lastLogits(ids, state);
        best = Math.min(best, (System.nanoTime() - start) * 1e-9);
      }
    }
    return PROMPT / best;
  }

  private void decode(
      String name, Format format, LanguageModel model, int context, double prefill) {
    try (ModelState state = model.newState(1)) {
      int[] past = ids(4, Math.max(1, context));
      for (int at = 0; at < context; at += CHUNK) {
        int[] part = Arrays.copyOfRange(past, at, Math.min(context, at + CHUNK));
        try (Scope _ = new Scope();
            Tape tape = Tape.off()) {
          model.hidden(tape, Ids.tensor(part), state);
        }
      }
      stretches(model, state, 0.4 * seconds); // for the compiler
      double before = reads.bytesPerSecond();
      double[] times = stretches(model, state, seconds);
      double rate = Math.max(before, reads.bytesPerSecond());
      Arrays.sort(times);
      double best = STRETCH / times[0], middle = STRETCH / times[times.length / 2];
      double bytes = model.stepBytes();
      System.out.printf(
          Locale.ROOT,
          "| %s | %s | %,d | %.0f | %.1f | %.1f | %.0f | %.1f | %.0f%% | %.0f |%n",
          name,
          format,
          context,
          prefill,
          best,
          middle,
          bytes / 1e6,
          rate / 1e9,
          100 * best * bytes / rate,
          resident() / 1e6);
    }
  }

  private static double[] stretches(LanguageModel model, ModelState state, double seconds) {
    int[] ids = ids(5, STRETCH);
    double[] times = new double[0];
    long end = System.nanoTime() + (long) (seconds * 1e9);
    while (times.length < 3 || System.nanoTime() < end) {
      try (ModelState copy = state.copy(0)) { // Attention to all must not grow slower meanwhile.
        read(model, copy, ids[0]);
        long start = System.nanoTime();
        for (int id : ids) read(model, copy, id);
        times = Arrays.copyOf(times, times.length + 1);
        times[times.length - 1] = (System.nanoTime() - start) * 1e-9;
      }
    }
    return times;
  }

  private static void read(LanguageModel model, ModelState state, int id) {
    try (Scope _ = new Scope()) {
      model.step(Ids.tensor(new int[] {id}), state);
    }
  }

  private static int[] ids(long seed, int count) {
    return new SplittableRandom(seed).ints(count, 0, 40_000).toArray();
  }

  /** Bytes of this process in memory; NaN where the system does not say. */
  static double resident() {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
        if (line.startsWith("VmRSS:")) return 1024 * Double.parseDouble(line.split("\\s+")[1]);
      }
    } catch (IOException e) {
      // Not Linux.
    }
    return Double.NaN;
  }
}
