package org.bmojo.kernels.cuda;

import static org.bytedeco.cuda.global.cudart.cudaDevAttrComputeCapabilityMajor;
import static org.bytedeco.cuda.global.cudart.cudaDevAttrComputeCapabilityMinor;
import static org.bytedeco.cuda.global.cudart.cudaDevAttrMaxSharedMemoryPerBlockOptin;
import static org.bytedeco.cuda.global.cudart.cudaDevAttrMultiProcessorCount;
import static org.bytedeco.cuda.global.cudart.cudaDeviceGetAttribute;
import static org.bytedeco.cuda.global.cudart.cudaFree;
import static org.bytedeco.cuda.global.cudart.cudaGetDevice;
import static org.bytedeco.cuda.global.cudart.cudaSetDevice;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * One GPU.
 *
 * @param index as libtorch counts
 * @param capability 80 for 8.0, 90 for 9.0
 * @param multiprocessors how many
 * @param shared bytes of shared memory that a block can have
 */
record Device(int index, int capability, int multiprocessors, int shared) {
  private static final ConcurrentMap<Integer, Device> KNOWN = new ConcurrentHashMap<>();

  /** Whether {@code t} lies in a GPU's memory. */
  static boolean holds(Tensor t) {
    return t.is_cuda();
  }

  /** The device that holds {@code t}, made this thread's current one. */
  static Device of(Tensor t) {
    Device device = KNOWN.computeIfAbsent((int) t.device().index(), Device::ask);
    Driver.check("selecting device " + device.index, cudaSetDevice(device.index));
    return device;
  }

  /** The device that libtorch puts new tensors on. */
  static Device current() {
    int[] index = new int[1];
    Driver.check("asking for the current device", cudaGetDevice(index));
    return KNOWN.computeIfAbsent(index[0], Device::ask);
  }

  private static Device ask(int index) {
    Driver.check("selecting device " + index, cudaSetDevice(index));
    Driver.check("opening device " + index, cudaFree((Pointer) null));
    int major = attribute(index, cudaDevAttrComputeCapabilityMajor);
    int minor = attribute(index, cudaDevAttrComputeCapabilityMinor);
    return new Device(
        index,
        10 * major + minor,
        attribute(index, cudaDevAttrMultiProcessorCount),
        attribute(index, cudaDevAttrMaxSharedMemoryPerBlockOptin));
  }

  private static int attribute(int index, int which) {
    int[] value = new int[1];
    Driver.check("asking device " + index, cudaDeviceGetAttribute(value, which, index));
    return value[0];
  }

  /** What NVRTC calls the architecture; Hopper's own instructions need the "a". */
  String architecture() {
    return capability == 90 ? "sm_90a" : "sm_" + capability;
  }

  /** The stream that libtorch's own operations run on. */
  CUstream_st stream() {
    return torch_cuda.getCurrentCUDAStream((byte) index).stream();
  }
}
