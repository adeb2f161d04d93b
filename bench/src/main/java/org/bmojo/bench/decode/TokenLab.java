package org.bmojo.bench.decode;

import static org.bytedeco.cuda.global.cudart.cudaDeviceSynchronize;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Decoder;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelState;
import org.bmojo.model.Placement;
import org.bmojo.model.Presets;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * Tokens per second of models that answer, likeliest token after likeliest token, by family, batch
 * and what was read before; and the time that a prompt takes.
 *
 * <p>The share is the bytes of all weights, read once per token, over what a large copy moves
 * (reads and writes counted) in the same time: what a batch of one could reach at best. Of long
 * contexts the first {@value #READ} tokens are read and the rest is claimed: the state is placed at
 * the position that it would have reached. A step's work depends on nothing but that.
 */
public final class TokenLab {
  private static final int VOCABULARY = 50_304, READ = 1024, WARM = 8, STEPS = 256;

  private final Placement placement;
  private final boolean gpu;
  private final int steps;

  private TokenLab(Placement placement) {
    this.placement = placement;
    gpu = placement.libtorch().is_cuda();
    steps = gpu ? STEPS : 16;
  }

  /**
   * Prints the table.
   *
   * @param size as presets are called: {@code 1.4b}
   * @param batches how many sequences
   * @param contexts tokens read before
   * @param prefill whether prompts are timed too: 16 of 2,048 tokens
   * @param parts whether what matrices take is told by kind
   * @param families none for all
   */
  public static void run(
      String size,
      List<Integer> batches,
      List<Long> contexts,
      boolean prefill,
      boolean parts,
      List<String> families) {
    List<String> names =
        Arrays.stream(Presets.Family.values())
            .map(f -> f.name().toLowerCase(Locale.ROOT).replace('_', '-'))
            .filter(f -> families.isEmpty() || families.contains(f))
            .toList();
    Placement placement = torch.cuda_is_available() ? Placement.of("cuda", "bf16") : Placement.CPU;
    TokenLab lab = new TokenLab(placement);
    double copy = lab.copyRate();
    System.out.printf("a copy moves %.2f TB/s%n", copy / 1e12);
    for (String name : names) {
      try (Scope _ = new Scope();
          LanguageModel model =
              TimedModel.create(Presets.named(name + "-" + size, VOCABULARY), placement)) {
        System.out.printf("%s-%s, %,d parameters%n", name, size, model.parameterCount());
        if (prefill) lab.prefill(model);
        for (int batch : batches) {
          if (parts && lab.gpu) Products.print(model, batch);
          for (long context : contexts) lab.decode(model, batch, context, copy);
        }
      } finally {
        if (lab.gpu) torch_cuda.getAllocator().emptyCache();
      }
    }
  }

  private void decode(LanguageModel model, int batch, long context, double copy) {
    try (Scope _ = new Scope();
        Decoder decoder = Decoder.of(model)) {
      try (ModelState state = model.newState(1)) {
        read(model, state, (int) Math.min(context, READ));
        if (context > READ) state.fill(state.tensors(), context);
        for (int i = 0; i < batch; i++) decoder.join(state);
      }
      int[] first = new int[batch];
      for (int i = 0; i < batch; i++) first[i] = i;
      decoder.queueLikeliest(Ids.column(first));
      double[] times = new double[steps];
      double host = 0;
      for (int i = -WARM; i < steps; i++) {
        long start = System.nanoTime();
        decoder.queueLikeliest(null); // As a generator does, one token ahead.
        if (i >= 0) host += (System.nanoTime() - start) / 1e6 / steps;
        decoder.takeLikeliest();
        if (i >= 0) times[i] = (System.nanoTime() - start) / 1e6;
      }
      double mean = Arrays.stream(times).average().orElseThrow();
      Arrays.sort(times);
      double share = TimedModel.bytesRead(model) / (mean / 1e3) / copy;
      System.out.printf(
          "  batch %3d  context %,9d  %8.3f ms a token (median %.3f, slowest %.3f, host %.3f)"
              + "  %,9.0f tokens/s  weights at %5.1f %% of a copy  state %,d MB%n",
          batch,
          context,
          mean,
          times[steps / 2],
          times[steps - 1],
          host,
          batch / mean * 1e3,
          100 * share,
          decoder.bytes() >> 20);
    } catch (BadInput e) {
      System.out.printf("  batch %3d  context %,9d  %s%n", batch, context, e.getMessage());
    }
  }

  private static Tensor random(int batch, int tokens) {
    SplittableRandom random = new SplittableRandom(1);
    int[][] rows = new int[batch][tokens];
    for (int[] row : rows) Arrays.setAll(row, _ -> random.nextInt(VOCABULARY));
    return Ids.tensor(rows);
  }

  private static void read(LanguageModel model, ModelState state, int tokens) {
    try (Scope _ = new Scope()) {
      model.lastLogits(random(1, tokens), state);
    }
  }

  private void prefill(LanguageModel model) {
    int batch = gpu ? 16 : 1, tokens = gpu ? 2048 : 64;
    List<Double> times = new ArrayList<>();
    try (Scope _ = new Scope()) {
      Tensor ids = random(batch, tokens).to(placement.libtorch(), torch.ScalarType.Long);
      for (int i = 0; i < 12; i++) {
        try (Scope _ = new Scope();
            ModelState state = model.newState(batch)) {
          await();
          long start = System.nanoTime();
          model.lastLogits(ids, state);
          long queued = System.nanoTime();
          await();
          times.add((System.nanoTime() - start) / 1e6);
          if (i == 11) {
            System.out.printf(
                "  prefill %dx%d  %.2f ms (of which the host queued for %.2f)%n",
                batch, tokens, median(times.subList(2, 12)), (queued - start) / 1e6);
          }
        }
      }
    }
  }

  private static double median(List<Double> times) {
    return times.stream().sorted().skip(times.size() / 2).findFirst().orElseThrow();
  }

  private void await() {
    if (gpu && cudaDeviceSynchronize() != 0) throw new IllegalStateException("the GPU failed");
  }

  /** Bytes a second, read and written. */
  private double copyRate() {
    long bytes = gpu ? 1L << 30 : 1L << 27;
    try (Scope _ = new Scope()) {
      Device device = placement.libtorch();
      Tensor from =
          torch
              .zeros(new long[] {bytes}, new TensorOptions(torch.ScalarType.Char))
              .to(device, torch.ScalarType.Char);
      Tensor to = torch.empty_like(from);
      double best = Double.MAX_VALUE;
      for (int i = 0; i < 10; i++) {
        await();
        long start = System.nanoTime();
        for (int j = 0; j < 8; j++) to.copy_(from);
        await();
        best = Math.min(best, (System.nanoTime() - start) / 1e9 / 8);
      }
      return 2 * bytes / best;
    }
  }
}
