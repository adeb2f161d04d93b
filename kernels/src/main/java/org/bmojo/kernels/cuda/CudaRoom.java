package org.bmojo.kernels.cuda;

import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch_cuda;
import org.jspecify.annotations.Nullable;

/** The door of this room. */
public final class CudaRoom {
  private CudaRoom() {}

  /** Why this room cannot be used here, for whoever picks one; null where it can. */
  public static @Nullable String unavailable() {
    if (!torch.hasCUDA()) {
      return "this libtorch was built without CUDA, or no GPU and driver were found";
    }
    try {
      Device device = Device.current();
      if (device.capability() >= 80) return null;
      return "the GPU has compute capability "
          + device.capability() / 10.0
          + ", and 8.0 is the least that bfloat16 kernels run on";
    } catch (IllegalStateException | LinkageError e) {
      return "CUDA does not answer: " + e.getMessage();
    }
  }

  /**
   * Gives the calling thread a stream of its own on a device, for libtorch's operations and ours
   * alike: by default all threads share one, and small kernels wait for each other.
   *
   * @param index of the device, as libtorch counts
   */
  public static void ownStream(int index) {
    torch_cuda.setCurrentCUDAStream(torch_cuda.getStreamFromPool(false, (byte) index));
  }
}
