package org.bmojo.bench.gpu;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Tensors;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Proof, then times, of the cuda room. Arguments: parts of the names of the operations to run; none
 * runs all.
 *
 * <p>An error is ‖out − truth‖ / ‖truth‖ over all results of an operation, the largest of them; the
 * truth is the reference room in float64 on the same inputs.
 */
public final class GpuLab {
  /** A result in the room under test and in float64. */
  record Proof(String name, Tensor actual, Tensor truth) {
    double error() {
      Tensor wide = truth.to(ScalarType.Double);
      double norm = Math.max(wide.norm().item_double(), 1e-30);
      return actual.to(ScalarType.Double).sub(wide).norm().item_double() / norm;
    }
  }

  /**
   * Something timed.
   *
   * @param bytes that must cross memory, or 0
   * @param operations of floating point, or 0
   */
  record Timing(String name, double bytes, double operations, List<Runnable> variants) {}

  /** An operation's proofs, in either type, and its timings. */
  interface Experiment {
    String name();

    List<Proof> prove(Kernels room, ScalarType type);

    List<Timing> time(Kernels room);
  }

  private final GpuClock clock = new GpuClock();
  private double copyRate, productRate;
  private int failures;

  public static void main(String[] args) {
    new GpuLab().run(args);
  }

  private void run(String... parts) {
    ceilings();
    for (Experiment experiment : Experiments.all()) {
      if (parts.length > 0 && List.of(parts).stream().noneMatch(experiment.name()::contains)) {
        continue;
      }
      try {
        prove(experiment);
        for (Timing timing : prepared(experiment)) report(timing);
      } catch (RuntimeException e) {
        failures++;
        System.out.printf("%-52s FAILED %s%n", experiment.name(), e);
        e.printStackTrace(System.out);
      }
    }
    System.out.println(failures == 0 ? "all proofs hold" : failures + " FAILURES");
    if (failures > 0) System.exit(1);
  }

  private static List<Timing> prepared(Experiment experiment) {
    return experiment.time(Kernels.cuda());
  }

  private void prove(Experiment experiment) {
    for (ScalarType type : List.of(ScalarType.Float, ScalarType.BFloat16)) {
      try (Scope scope = new Scope()) {
        double limit = type == ScalarType.Float ? 1e-5 : 1e-2;
        double worst = 0;
        List<String> wrong = new ArrayList<>();
        for (Proof proof : experiment.prove(Kernels.cuda(), type)) {
          double error = proof.error();
          worst = Math.max(worst, error);
          if (!(error <= limit)) wrong.add(proof.name() + " " + error);
        }
        System.out.printf(
            Locale.ROOT,
            "%-52s %s error %.1e %s%n",
            experiment.name(),
            type,
            worst,
            wrong.isEmpty() ? "" : "WRONG " + wrong);
        failures += wrong.isEmpty() ? 0 : 1;
      }
    }
  }

  private void report(Timing timing) {
    double ms = clock.median(timing.variants());
    StringBuilder line = new StringBuilder();
    line.append(String.format(Locale.ROOT, "  %-50s %8.4f ms", timing.name(), ms));
    if (timing.bytes() > 0) {
      double rate = timing.bytes() / ms / 1e6;
      line.append(
          String.format(Locale.ROOT, "  %7.0f GB/s %3.0f%% of copy", rate, 100 * rate / copyRate));
    }
    if (timing.operations() > 0) {
      double rate = timing.operations() / ms / 1e9;
      line.append(
          String.format(
              Locale.ROOT, "  %6.1f TFLOP/s %3.0f%% of matmul", rate, 100 * rate / productRate));
    }
    System.out.println(line);
  }

  /** What this machine can do: a large copy and a large matrix product. */
  private void ceilings() {
    try (Scope scope = new Scope()) {
      Tensor from = normal(ScalarType.BFloat16, 1L << 29), to = torch.empty_like(from);
      double ms = clock.median(List.of(() -> to.copy_(from)));
      copyRate = 2.0 * 2 * (1L << 29) / ms / 1e6;
      long n = 8192;
      Tensor a = normal(ScalarType.BFloat16, n, n), b = normal(ScalarType.BFloat16, n, n);
      double product = clock.median(List.of(() -> a.matmul(b)));
      productRate = 2.0 * n * n * n / product / 1e9;
      System.out.printf(
          Locale.ROOT, "copy %.0f GB/s, bf16 matmul %.0f TFLOP/s%n", copyRate, productRate);
    }
  }

  /** Standard normal numbers on the GPU. */
  static Tensor normal(ScalarType type, long... shape) {
    return torch.randn(shape, gpu()).to(type);
  }

  /** Uniform numbers in [low, high) on the GPU. */
  static Tensor uniform(double low, double high, ScalarType type, long... shape) {
    Tensor unit = torch.rand(shape, gpu());
    return unit.mul(Tensors.scalar(high - low)).add(Tensors.scalar(low)).to(type);
  }

  private static TensorOptions gpu() {
    return new TensorOptions(new Device("cuda:0"));
  }
}
