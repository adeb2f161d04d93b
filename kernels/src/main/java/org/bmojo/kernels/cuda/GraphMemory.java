package org.bmojo.kernels.cuda;

import java.util.concurrent.atomic.AtomicLong;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.cuda.DeviceAssertionsDataVectorCUDAKernelLaunchInfoVectorPair;
import org.bytedeco.pytorch.cuda.StreamFilter;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * A pool of libtorch's allocator for what a {@link Graph} makes: between {@link #begin} and {@link
 * #end} everything asked for on the stream comes from it, and what is freed there is handed out
 * only there again. So replays find their memory as the recording left it, whatever else runs.
 */
final class GraphMemory implements AutoCloseable {
  /**
   * Says which streams' memory comes from the pool that is being filled. There is one: JavaCPP has
   * but ten callbacks of a kind.
   */
  private static final class Filter extends StreamFilter {
    static final Filter ONE = new Filter();

    /** Address of the stream that is being captured; 0 for none. */
    volatile long capturing;

    volatile boolean asked;

    private Filter() {
      retainReference();
    }

    @Override
    public boolean call(Pointer stream) {
      boolean ours = stream != null && stream.address() == capturing;
      asked |= ours;
      return ours;
    }
  }

  private static final AtomicLong NEXT = new AtomicLong(1L << 40);

  private final byte device;
  private final long stream;

  /** Two 64-bit numbers; libtorch's own pools have small ones. */
  private final LongPointer numbers = new LongPointer(2).retainReference();

  /**
   * The same as JavaCPP takes them: it has mistaken their type for that of another pair. So this
   * one is but an address. One that libtorch hands out would be freed as the other, and crash.
   */
  private final DeviceAssertionsDataVectorCUDAKernelLaunchInfoVectorPair id;

  private boolean known;

  /** Gives unused memory back, and names a pool for that stream. */
  GraphMemory(org.bmojo.kernels.cuda.Device device, CUstream_st stream) {
    this.device = (byte) device.index();
    this.stream = stream.address();
    torch_cuda.getAllocator().emptyCache();
    numbers.put(0, 0).put(1, NEXT.getAndIncrement());
    Kernel.Address address = new Kernel.Address(numbers.address());
    id = new DeviceAssertionsDataVectorCUDAKernelLaunchInfoVectorPair(address);
  }

  /** From now on memory for the stream comes from the pool. */
  void begin() {
    Filter filter = Filter.ONE;
    filter.asked = false;
    filter.capturing = stream;
    torch_cuda.getAllocator().beginAllocateToPool(device, id, filter);
    known = true;
    try (Scope scope = new Scope()) {
      TensorOptions here = new TensorOptions(new Device(torch.DeviceType.CUDA, device));
      torch.empty(new long[] {1}, here, null);
    }
    if (!filter.asked) {
      end();
      throw new IllegalStateException("libtorch's allocator keeps no memory for a CUDA graph");
    }
  }

  /** From now on it does not. */
  void end() {
    torch_cuda.getAllocator().endAllocateToPool(device, id);
    Filter.ONE.capturing = 0;
  }

  /** Lets the allocator give the pool's memory back when it needs some and nothing uses this. */
  @Override
  public void close() {
    if (known) torch_cuda.getAllocator().releasePool(device, id);
    numbers.releaseReference();
  }
}
