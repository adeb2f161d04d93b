package org.bmojo.kernels.torch;

import static org.bytedeco.cuda.global.cudart.cudaEventBlockingSync;
import static org.bytedeco.cuda.global.cudart.cudaEventCreateWithFlags;
import static org.bytedeco.cuda.global.cudart.cudaEventDestroy;
import static org.bytedeco.cuda.global.cudart.cudaEventDisableTiming;
import static org.bytedeco.cuda.global.cudart.cudaEventRecord;
import static org.bytedeco.cuda.global.cudart.cudaEventSynchronize;

import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;
import org.jspecify.annotations.Nullable;

/**
 * Numbers on their way to the host. Reading a tensor on a GPU waits for everything queued so far;
 * this queues a copy instead, and waits, when asked, for that copy alone.
 */
public final class Later implements AutoCloseable {
  private final Owned host; // float64, in pinned memory if it comes from a GPU
  private @Nullable CUevent_st arrival;

  /** Sends for the elements of {@code t}. */
  public Later(Tensor t) {
    try (Scope scope = new Scope()) {
      Tensor wide = t.to(ScalarType.Double).reshape(-1);
      if (t.device().is_cpu()) {
        host = new Owned(wide.clone());
        return;
      }
      TensorOptions pinned =
          new TensorOptions(ScalarType.Double).pinned_memory(new BoolOptional(true));
      Tensor copy = torch.empty(new long[] {wide.numel()}, pinned, null);
      copy.copy_(wide, true);
      host = new Owned(copy);
      CUevent_st event = new CUevent_st();
      event.retainReference();
      check(cudaEventCreateWithFlags(event, cudaEventDisableTiming | cudaEventBlockingSync));
      check(cudaEventRecord(event, torch_cuda.getCurrentCUDAStream().stream()));
      arrival = event;
    }
  }

  /** The elements, once they are there. */
  public double[] get() {
    if (arrival != null) check(cudaEventSynchronize(arrival));
    double[] values = new double[(int) host.get().numel()];
    new DoublePointer(host.get().data_ptr()).get(values);
    return values;
  }

  private static void check(int result) {
    if (result != 0) throw new IllegalStateException("CUDA error " + result);
  }

  @Override
  public void close() {
    if (arrival != null) {
      cudaEventDestroy(arrival);
      arrival.releaseReference();
      arrival = null;
    }
    host.close();
  }
}
