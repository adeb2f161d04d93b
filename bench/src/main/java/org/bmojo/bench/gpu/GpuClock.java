package org.bmojo.bench.gpu;

import static org.bytedeco.cuda.global.cudart.cudaEventCreate;
import static org.bytedeco.cuda.global.cudart.cudaEventElapsedTime;
import static org.bytedeco.cuda.global.cudart.cudaEventRecord;
import static org.bytedeco.cuda.global.cudart.cudaEventSynchronize;

import java.util.Arrays;
import java.util.List;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * Times work on the GPU by events on libtorch's stream. A long copy goes first: it empties the
 * cache, and while it runs the launches queue up, so that the host's own time stays out.
 */
final class GpuClock {
  private static final int WARM = 5, REPEATS = 30;

  /** Copied before every measurement: two gigabytes. */
  private final Tensor cover = torch.zeros(new long[] {1L << 28}, onGpu());

  private final Tensor coverTo = torch.empty_like(cover);
  private final CUevent_st start = new CUevent_st(), stop = new CUevent_st();

  GpuClock() {
    check(cudaEventCreate(start));
    check(cudaEventCreate(stop));
  }

  /**
   * Median milliseconds of one run, rotating through {@code variants}: the same work on different
   * inputs, so that the cache does not serve what memory should.
   */
  double median(List<Runnable> variants) {
    double[] times = new double[REPEATS];
    for (int i = -WARM; i < REPEATS; i++) {
      Runnable work = variants.get(Math.floorMod(i, variants.size()));
      double time = once(work);
      if (i >= 0) times[i] = time;
    }
    Arrays.sort(times);
    return times[REPEATS / 2];
  }

  private double once(Runnable work) {
    try (Scope scope = new Scope()) {
      var stream = torch_cuda.getCurrentCUDAStream().stream();
      for (int i = 0; i < 3; i++) coverTo.copy_(cover);
      check(cudaEventRecord(start, stream));
      work.run();
      check(cudaEventRecord(stop, stream));
      check(cudaEventSynchronize(stop));
      float[] milliseconds = new float[1];
      check(cudaEventElapsedTime(milliseconds, start, stop));
      return milliseconds[0];
    }
  }

  private static TensorOptions onGpu() {
    return new TensorOptions(new Device("cuda:0"));
  }

  private static void check(int result) {
    if (result != 0) throw new IllegalStateException("CUDA error " + result);
  }
}
