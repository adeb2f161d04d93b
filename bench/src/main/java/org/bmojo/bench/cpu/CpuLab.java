package org.bmojo.bench.cpu;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Proof, then times, of the cpu room in float32. Arguments: parts of the names of the works to run;
 * none runs all. "limit" is the share reached of the nearest of the three limits that the machine
 * sets: memory, multiply-adds, exponentials.
 */
public final class CpuLab {
  /**
   * An operation at one size.
   *
   * @param bytes that must cross memory at least
   * @param operations of floating point, exponentials apart
   */
  record Work(String name, double bytes, double operations, double exponentials, Results results) {
    /** What a room makes of the work's inputs: every result, in a fixed order. */
    interface Results {
      List<Tensor> of(Kernels room);
    }
  }

  private static final double TOLERANCE = 1e-5;

  private CpuLab() {}

  public static void main(String[] args) {
    torch.manual_seed(1);
    CpuPeaks peaks = CpuPeaks.measure();
    System.out.println(peaks);
    boolean right = true;
    for (CpuWorks.Sized sized : CpuWorks.all()) {
      if (args.length > 0 && Arrays.stream(args).noneMatch(sized.name()::contains)) continue;
      try (Scope scope = new Scope()) {
        Work work = sized.make().get();
        if (proven(work)) {
          report(work, peaks);
        } else {
          right = false;
        }
      }
    }
    if (!right) System.exit(1);
  }

  /** Whether all results are those of the reference room, summed over all elements. */
  private static boolean proven(Work work) {
    try (Scope scope = new Scope()) {
      List<Tensor> mine = work.results().of(Kernels.cpu());
      List<Tensor> truth = work.results().of(Kernels.REFERENCE);
      for (int i = 0; i < mine.size(); i++) {
        Tensor wide = truth.get(i).to(ScalarType.Double);
        double difference = mine.get(i).to(ScalarType.Double).sub(wide).norm().item_double();
        double error = difference / Math.max(wide.norm().item_double(), 1e-30);
        if (error <= TOLERANCE) continue;
        System.out.printf(Locale.ROOT, "%s: result %d is off by %.1e%n", work.name(), i, error);
        return false;
      }
      return true;
    }
  }

  private static void report(Work work, CpuPeaks peaks) {
    double mine = Stopwatch.best(() -> work.results().of(Kernels.cpu()));
    double reference = Stopwatch.best(() -> work.results().of(Kernels.REFERENCE));
    double memory = work.bytes() / peaks.copy(), flops = work.operations() / peaks.multiplyAdds();
    double exponentials = work.exponentials() / peaks.exponentials();
    System.out.printf(
        Locale.ROOT,
        "%-44s %9.3f ms  reference %9.2f ms (%5.1fx)  %5.1f GB/s %3.0f%%  %6.1f GFLOP/s %3.0f%%"
            + "  exp %4.1f G/s %3.0f%%  limit %3.0f%%%n",
        work.name(),
        mine * 1e3,
        reference * 1e3,
        reference / mine,
        work.bytes() / mine / 1e9,
        100 * memory / mine,
        work.operations() / mine / 1e9,
        100 * flops / mine,
        work.exponentials() / mine / 1e9,
        100 * exponentials / mine,
        100 * Math.max(memory, Math.max(flops, exponentials)) / mine);
  }
}
