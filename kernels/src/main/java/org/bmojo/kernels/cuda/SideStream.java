package org.bmojo.kernels.cuda;

import static org.bytedeco.cuda.global.cudart.cudaEventCreateWithFlags;
import static org.bytedeco.cuda.global.cudart.cudaEventDestroy;
import static org.bytedeco.cuda.global.cudart.cudaEventDisableTiming;
import static org.bytedeco.cuda.global.cudart.cudaEventRecord;
import static org.bytedeco.cuda.global.cudart.cudaSetDevice;
import static org.bytedeco.cuda.global.cudart.cudaStreamWaitEvent;

import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.pytorch.cuda.CUDAStream;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * Gives the calling thread another stream on a device until it is closed: a {@link Graph} cannot be
 * captured on the default one. The two never overlap: each waits for what the other was given
 * before, so that tensors may be made on one and used on the other.
 */
public final class SideStream implements AutoCloseable {
  private final CUDAStream before, own;

  /**
   * Makes a stream of libtorch's pool the current one, and the device too.
   *
   * @param index of the device, as libtorch counts
   */
  public SideStream(int index) {
    Driver.check("selecting device " + index, cudaSetDevice(index));
    before = torch_cuda.getCurrentCUDAStream((byte) index).retainReference();
    own = torch_cuda.getStreamFromPool(false, (byte) index).retainReference();
    await(own, before);
    torch_cuda.setCurrentCUDAStream(own);
  }

  /** Has all further work on {@code later} wait for what {@code sooner} has been given so far. */
  private static void await(CUDAStream later, CUDAStream sooner) {
    try (CUevent_st event = new CUevent_st()) {
      Driver.check("making an event", cudaEventCreateWithFlags(event, cudaEventDisableTiming));
      Driver.check("recording an event", cudaEventRecord(event, sooner.stream()));
      Driver.check("awaiting an event", cudaStreamWaitEvent(later.stream(), event, 0));
      Driver.check("ending an event", cudaEventDestroy(event)); // Once it has happened, that is.
    }
  }

  /** Makes the former stream the current one again. */
  @Override
  public void close() {
    torch_cuda.setCurrentCUDAStream(before);
    await(before, own);
    own.releaseReference();
    before.releaseReference();
  }
}
