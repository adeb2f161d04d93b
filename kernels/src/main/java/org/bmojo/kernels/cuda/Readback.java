package org.bmojo.kernels.cuda;

import static org.bytedeco.cuda.global.cudart.cudaEventCreateWithFlags;
import static org.bytedeco.cuda.global.cudart.cudaEventDestroy;
import static org.bytedeco.cuda.global.cudart.cudaEventDisableTiming;
import static org.bytedeco.cuda.global.cudart.cudaEventRecord;
import static org.bytedeco.cuda.global.cudart.cudaEventSynchronize;

import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A few whole numbers on their way from a GPU: whoever waits for them does not wait for what was
 * queued behind.
 */
public final class Readback implements AutoCloseable {
  private final Tensor host; // pinned
  private final CUevent_st arrived = new CUevent_st();

  /**
   * Queues the copy on libtorch's current stream.
   *
   * @param numbers (n) int64 on a GPU; may change once later work runs
   */
  public Readback(Tensor numbers) {
    try (Scope _ = new Scope()) {
      host = torch.zeros(Shapes.of(numbers), new TensorOptions(ScalarType.Long)).pin_memory();
      host.retainReference();
      host.copy_(numbers, true);
    }
    Driver.check("making an event", cudaEventCreateWithFlags(arrived, cudaEventDisableTiming));
    Driver.check("recording an event", cudaEventRecord(arrived, Device.of(numbers).stream()));
  }

  /** The numbers, once they are there. */
  public long[] await() {
    Driver.check("waiting for numbers", cudaEventSynchronize(arrived));
    long[] numbers = new long[(int) host.numel()];
    new LongPointer(host.data_ptr()).get(numbers);
    return numbers;
  }

  @Override
  public void close() {
    cudaEventDestroy(arrived);
    arrived.close();
    host.releaseReference();
  }
}
