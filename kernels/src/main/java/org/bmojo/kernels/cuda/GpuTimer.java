package org.bmojo.kernels.cuda;

import static org.bytedeco.cuda.global.cudart.cudaEventCreate;
import static org.bytedeco.cuda.global.cudart.cudaEventDestroy;
import static org.bytedeco.cuda.global.cudart.cudaEventElapsedTime;
import static org.bytedeco.cuda.global.cudart.cudaEventRecord;
import static org.bytedeco.cuda.global.cudart.cudaEventSynchronize;

import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bytedeco.cuda.cudart.CUevent_st;

/**
 * How long a GPU needs for work by itself, whatever the host takes to queue it: the stream is held
 * up until all, or as much as a queue takes (about a thousand kernels), stands there.
 *
 * <p>Host and GPU go on together after that; where the host is much slower, its time shows.
 */
public final class GpuTimer implements AutoCloseable {
  private final Device device;
  private final CUevent_st start = new CUevent_st().retainReference();
  private final CUevent_st stop = new CUevent_st().retainReference();

  /** Of the current device. */
  public GpuTimer() {
    device = Device.current();
    Driver.check("making an event", cudaEventCreate(start));
    Driver.check("making an event", cudaEventCreate(stop));
  }

  /** Holds libtorch's current stream up for so long, and starts the clock behind that. */
  public void start(long holdMilliseconds) {
    Program.of(device, "hold").kernel("hold").launch(new Grid(1, 1), holdMilliseconds * 1_000_000);
    Driver.check("recording an event", cudaEventRecord(start, device.stream()));
  }

  /** Milliseconds from there to the end of all that was queued since. */
  public double stop() {
    Driver.check("recording an event", cudaEventRecord(stop, device.stream()));
    Driver.check("waiting for an event", cudaEventSynchronize(stop));
    float[] milliseconds = new float[1];
    Driver.check("asking the time", cudaEventElapsedTime(milliseconds, start, stop));
    return milliseconds[0];
  }

  @Override
  public void close() {
    cudaEventDestroy(start);
    cudaEventDestroy(stop);
  }
}
