package org.bmojo.cli;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bmojo.kernels.cuda.Gpu;
import org.bmojo.model.Placement;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The device that a run computes on.
 *
 * @param name of the GPU, or how many cores
 * @param freeBytes of its memory
 * @param peak multiplications and additions a second in the run's type; null where not known
 */
record Machine(String name, long freeBytes, @Nullable Double peak) {
  /** Dense bfloat16, as the vendor states it; of names that begin alike, the longest first. */
  private static final Map<String, Double> TERAFLOPS = new LinkedHashMap<>();

  static {
    TERAFLOPS.put("H100 PCIe", 756.0);
    TERAFLOPS.put("H100 NVL", 835.0);
    TERAFLOPS.put("H100", 989.0);
    TERAFLOPS.put("H200", 989.0);
    TERAFLOPS.put("B200", 2250.0);
    TERAFLOPS.put("A100", 312.0);
    TERAFLOPS.put("L40S", 362.0);
    TERAFLOPS.put("L4", 121.0);
    TERAFLOPS.put("A10G", 70.0);
    TERAFLOPS.put("A10", 125.0);
    TERAFLOPS.put("RTX 4090", 165.0);
    TERAFLOPS.put("RTX 3090", 71.0);
  }

  /** Asks the device now. */
  static Machine of(Placement placement) {
    if (placement.device().equals("cpu")) {
      int cores = Runtime.getRuntime().availableProcessors();
      return new Machine("CPU, " + cores + " cores", freeMemory(), null);
    }
    Gpu gpu = Gpu.ask(Integer.parseInt(placement.device().substring("cuda:".length())));
    boolean narrow = placement.type() == ScalarType.BFloat16;
    return new Machine(gpu.name(), gpu.freeBytes(), narrow ? peak(gpu.name()) : null);
  }

  /**
   * Dense bfloat16 operations a second of the GPU called {@code name}; null if not in the table.
   */
  static @Nullable Double peak(String name) {
    for (Map.Entry<String, Double> known : TERAFLOPS.entrySet()) {
      if (name.matches(".*\\b" + known.getKey() + "\\b.*")) return known.getValue() * 1e12;
    }
    return null;
  }

  /**
   * What the kernel would give without swapping, its caches included, within a container's share.
   */
  private static long freeMemory() {
    var system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
    Path file = Path.of("/proc/meminfo");
    try {
      if (!Files.isReadable(file)) return system.getFreeMemorySize();
      for (String line : Files.readAllLines(file)) {
        if (!line.startsWith("MemAvailable:")) continue;
        long bytes = 1024 * Long.parseLong(line.replaceAll("\\D", ""));
        return Math.min(bytes, system.getTotalMemorySize());
      }
    } catch (IOException unreadable) {
      // Then the JVM's own number has to do.
    }
    return system.getFreeMemorySize();
  }
}
