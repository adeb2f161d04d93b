package org.bmojo.kernels.cuda;

import static org.bytedeco.cuda.global.cudart.cudaGetDeviceProperties;
import static org.bytedeco.cuda.global.cudart.cudaMemGetInfo;
import static org.bytedeco.cuda.global.cudart.cudaSetDevice;

import org.bytedeco.cuda.cudart.cudaDeviceProp;
import org.bytedeco.javacpp.SizeTPointer;

/**
 * A GPU as its driver describes it now.
 *
 * @param name such as {@code NVIDIA H100 80GB HBM3}
 * @param freeBytes of its memory that nobody uses
 * @param totalBytes of its memory
 */
public record Gpu(String name, long freeBytes, long totalBytes) {
  /** Asks the driver about device {@code index}, which becomes the thread's current one. */
  public static Gpu ask(int index) {
    try (cudaDeviceProp properties = new cudaDeviceProp();
        SizeTPointer free = new SizeTPointer(1);
        SizeTPointer total = new SizeTPointer(1)) {
      Driver.check("selecting device " + index, cudaSetDevice(index));
      Driver.check("asking device " + index, cudaGetDeviceProperties(properties, index));
      Driver.check("asking for free memory", cudaMemGetInfo(free, total));
      return new Gpu(properties.name().getString(), free.get(), total.get());
    }
  }
}
