package org.bmojo.kernels.cuda;

import static org.bytedeco.cuda.global.cudart.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
import static org.bytedeco.cuda.global.cudart.cuFuncSetAttribute;
import static org.bytedeco.cuda.global.cudart.cuLaunchKernel;
import static org.bytedeco.cuda.global.cudart.cuModuleGetFunction;

import org.bytedeco.cuda.cudart.CUfunc_st;
import org.bytedeco.cuda.cudart.CUmod_st;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** A function that runs on the GPU. */
final class Kernel {
  /** How many blocks, of how many threads, with how many bytes of dynamic shared memory. */
  record Grid(long x, long y, long z, int threads, int shared) {
    Grid(long x, int threads) {
      this(x, 1, 1, threads, 0);
    }
  }

  /** Shared memory beyond this many bytes has to be asked for. */
  private static final int UNASKED = 48 << 10;

  private static final int MOST_ARGUMENTS = 40;

  /** Values of 8 bytes (shorter ones little-endian in the front) and a pointer to each. */
  private static final class Arguments {
    final LongPointer values = new LongPointer(MOST_ARGUMENTS).retainReference();
    final PointerPointer<Pointer> pointers =
        new PointerPointer<>(MOST_ARGUMENTS).<PointerPointer<Pointer>>retainReference();

    Arguments() {
      for (int i = 0; i < MOST_ARGUMENTS; i++) {
        pointers.put(i, new Address(values.address() + 8L * i));
      }
    }
  }

  /** A bare address as JavaCPP takes it. */
  static final class Address extends Pointer {
    Address(long address) {
      super((Pointer) null);
      this.address = address;
    }
  }

  private static final ThreadLocal<Arguments> ARGUMENTS = ThreadLocal.withInitial(Arguments::new);

  private final Device device;
  private final String title;
  private final CUfunc_st function = new CUfunc_st();
  private volatile int granted = UNASKED;

  Kernel(Device device, String title, String name, CUmod_st module) {
    this.device = device;
    this.title = title;
    Driver.checkDriver("finding " + title, cuModuleGetFunction(function, module, name));
  }

  Device device() {
    return device;
  }

  /**
   * Queues a launch on libtorch's current stream.
   *
   * @param arguments in the kernel's order: tensors (null is a null pointer), Integer, Long, Float
   */
  void launch(Grid grid, @Nullable Object... arguments) {
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
    try (PointerScope scope = new PointerScope()) {
      Arguments packed = ARGUMENTS.get();
      for (int i = 0; i < arguments.length; i++) packed.values.put(i, bits(arguments[i]));
      if (grid.shared > granted) {
        int most = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        Driver.checkDriver(title, cuFuncSetAttribute(function, most, grid.shared));
        granted = grid.shared;
      }
      int result =
          cuLaunchKernel(
              function,
              Math.toIntExact(grid.x),
              Math.toIntExact(grid.y),
              Math.toIntExact(grid.z),
              grid.threads,
              1,
              1,
              grid.shared,
              device.stream(),
              packed.pointers,
              null);
      Driver.checkDriver("launching " + title + " as " + grid, result);
    }
  }

  private static long bits(@Nullable Object argument) {
    return switch (argument) {
      case null -> 0;
      case Tensor t -> t.numel() == 0 ? 0 : t.data_ptr().address();
      case Integer i -> i;
      case Long l -> l;
      case Float f -> Float.floatToRawIntBits(f);
      default -> throw new IllegalArgumentException("kernel argument " + argument.getClass());
    };
  }
}
