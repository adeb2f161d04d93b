package org.bmojo.kernels.cuda;

import static org.bytedeco.cuda.global.cudart.cuModuleLoadData;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.bytedeco.cuda.cudart.CUmod_st;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A {@code .cu} file compiled with some constants, loaded on one device. Loaded programs stay until
 * the process ends.
 */
final class Program {
  private record Key(Device device, String file, List<String> constants) {}

  private static final ConcurrentMap<Key, Program> LOADED = new ConcurrentHashMap<>();

  private final Key key;
  private final CUmod_st module;
  private final ConcurrentMap<String, Kernel> kernels = new ConcurrentHashMap<>();

  private Program(Key key) {
    this.key = key;
    List<String> options = new ArrayList<>();
    for (String constant : key.constants) options.add("-D" + constant);
    byte[] cubin = Compiler.compile(key.file, key.device.architecture(), options);
    module = new CUmod_st();
    Driver.check("selecting", org.bytedeco.cuda.global.cudart.cudaSetDevice(key.device.index()));
    try (BytePointer image = new BytePointer(cubin)) {
      Driver.checkDriver("loading " + key.file + ".cu", cuModuleLoadData(module, image));
    }
  }

  /**
   * The program for the device of {@code like}.
   *
   * @param constants "N=16", visible to the source as macros
   */
  static Program of(Tensor like, String file, String... constants) {
    return of(Device.of(like), file, constants);
  }

  /** The program for {@code device}, which is the thread's current one. */
  static Program of(Device device, String file, String... constants) {
    Key key = new Key(device, file, List.of(constants));
    Program known = LOADED.get(key);
    return known != null ? known : LOADED.computeIfAbsent(key, Program::new);
  }

  /** The kernel of that name ({@code extern "C"}). */
  Kernel kernel(String name) {
    Kernel known = kernels.get(name);
    if (known != null) return known;
    return kernels.computeIfAbsent(
        name, n -> new Kernel(key.device, key.file + ".cu: " + n, n, module));
  }

  /** How sources spell the element type of {@code t}. */
  static String type(Tensor t) {
    return t.scalar_type().intern() == ScalarType.BFloat16 ? "bf16" : "float";
  }
}
