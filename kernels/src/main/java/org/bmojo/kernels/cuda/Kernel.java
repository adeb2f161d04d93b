package org.bmojo.kernels.cuda;

import static org.bytedeco.cuda.global.cudart.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
import static org.bytedeco.cuda.global.cudart.CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
import static org.bytedeco.cuda.global.cudart.cuFuncSetAttribute;
import static org.bytedeco.cuda.global.cudart.cuLaunchKernel;
import static org.bytedeco.cuda.global.cudart.cuLaunchKernelEx;
import static org.bytedeco.cuda.global.cudart.cuModuleGetFunction;

import org.bytedeco.cuda.cudart.CUfunc_st;
import org.bytedeco.cuda.cudart.CUlaunchAttribute;
import org.bytedeco.cuda.cudart.CUlaunchConfig;
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

  /** Set to false, every kernel waits for the one before to end. */
  private static final boolean OVERLAP =
      !"false".equals(System.getProperty("bmojo.cuda.overlap", "true"));

  /** Whether the last thing that this thread queued was a kernel of ours; null outside a row. */
  private static final ThreadLocal<@Nullable Boolean> IN_A_ROW = new ThreadLocal<>();

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
      Arguments packed = packed(grid, arguments);
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

  /** Queues {@code work}, in which kernels that can do so begin while the one before them runs. */
  static void inARow(Runnable work) {
    IN_A_ROW.set(false);
    try {
      work.run();
    } finally {
      IN_A_ROW.remove();
    }
  }

  /** Says that libtorch has queued something: the next kernel waits until it has ended. */
  static void interrupted() {
    if (IN_A_ROW.get() != null) IN_A_ROW.set(false);
  }

  /**
   * The same for a kernel that may begin while the one before it runs, because it waits for that
   * one's results itself ({@code pipeline.cuh}). Does so {@link #inARow} only.
   */
  void launchEarly(Grid grid, @Nullable Object... arguments) {
    Boolean follows = IN_A_ROW.get();
    if (follows != null) IN_A_ROW.set(true);
    if (follows == null || !follows || !OVERLAP || device.capability() < 90) {
      launch(grid, arguments);
      return;
    }
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
    try (PointerScope scope = new PointerScope()) {
      Arguments packed = packed(grid, arguments);
      CUlaunchAttribute early = new CUlaunchAttribute();
      early.id(CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
      early.value().programmaticStreamSerializationAllowed(1);
      CUlaunchConfig config = new CUlaunchConfig();
      config.gridDimX(Math.toIntExact(grid.x)).gridDimY(Math.toIntExact(grid.y));
      config.gridDimZ(Math.toIntExact(grid.z)).blockDimX(grid.threads).blockDimY(1).blockDimZ(1);
      config.sharedMemBytes(grid.shared).hStream(device.stream()).attrs(early).numAttrs(1);
      int result = cuLaunchKernelEx(config, function, packed.pointers, (PointerPointer<?>) null);
      Driver.checkDriver("launching " + title + " early as " + grid, result);
    }
  }

  private Arguments packed(Grid grid, @Nullable Object... arguments) {
    Arguments packed = ARGUMENTS.get();
    for (int i = 0; i < arguments.length; i++) packed.values.put(i, bits(arguments[i]));
    if (grid.shared > granted) {
      int most = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
      Driver.checkDriver(title, cuFuncSetAttribute(function, most, grid.shared));
      granted = grid.shared;
    }
    return packed;
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
