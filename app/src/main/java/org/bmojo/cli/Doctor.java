package org.bmojo.cli;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;

/** {@code bmojo doctor}: what this machine offers, and whether libtorch computes on it. */
@Command(
    name = "doctor",
    description = "Shows what this machine offers and whether everything bmojo needs works.",
    footer = {
      "  ./bmojo doctor",
      "  ./bmojo doctor --json | jq .libtorch.version",
      "  BMOJO_CUDA=1 ./bmojo doctor      the same for the CUDA build"
    })
final class Doctor implements Callable<Integer> {
  @Mixin Answer answer;

  /**
   * @param memoryBytes the machine's (or the container's) memory
   * @param heapBytes the most that Java's heap may take of it; tensors live outside the heap
   * @param vectorBits width of the Vector API's preferred species
   * @param libtorch null where it could not be loaded
   * @param problems what must be mended before bmojo works; each names its cure
   * @param hints what could work better
   */
  record Findings(
      String version,
      String java,
      String system,
      int cores,
      long memoryBytes,
      long heapBytes,
      int vectorBits,
      @Nullable Libtorch libtorch,
      List<String> problems,
      List<String> hints) {}

  /**
   * @param cpu the instruction set libtorch chose, such as AVX512
   * @param threads how many threads one operation may use
   * @param cuda whether this is the CUDA build
   * @param gpus how many GPUs the CUDA build sees
   */
  record Libtorch(String version, String cpu, int threads, boolean cuda, int gpus) {}

  @Override
  public Integer call() throws IOException {
    Findings findings = examine();
    answer.print(findings, text(findings));
    return findings.problems.isEmpty() ? ExitCode.OK : ExitCode.SOFTWARE;
  }

  private static Findings examine() throws IOException {
    List<String> problems = new ArrayList<>();
    List<String> hints = new ArrayList<>();
    VectorSpecies<Float> species = FloatVector.SPECIES_PREFERRED;
    if (species.length() == 1) hints.add("Java uses no vector instructions on this processor.");

    Libtorch libtorch = null;
    try {
      libtorch = examineLibtorch(problems);
    } catch (LinkageError e) {
      problems.add(
          "libtorch does not load ("
              + e.getMessage()
              + "). Free disk space and remove JavaCPP's cache, ~/.javacpp, then try again.");
    }
    if (libtorch != null && libtorch.cuda && libtorch.gpus == 0) {
      problems.add("the CUDA build sees no GPU. Update NVIDIA's driver, or unset BMOJO_CUDA.");
    }
    if (libtorch != null && !libtorch.cuda && hasNvidiaDriver()) {
      hints.add("NVIDIA's driver is here, but this build is for CPUs. Try BMOJO_CUDA=1.");
    }

    return new Findings(
        Version.current(),
        System.getProperty("java.runtime.version") + ", " + System.getProperty("java.vendor"),
        System.getProperty("os.name") + " " + System.getProperty("os.arch"),
        Runtime.getRuntime().availableProcessors(),
        ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize(),
        Runtime.getRuntime().maxMemory(),
        species.vectorBitSize(),
        libtorch,
        problems,
        hints);
  }

  /** Loads libtorch's natives and multiplies two matrices with them. */
  private static Libtorch examineLibtorch(List<String> problems) throws IOException {
    try (Scope _ = new Scope()) {
      Tensor ones = torch.ones(64, 64); // (64, 64)
      double sum = ones.matmul(ones).sum().item_double();
      if (sum != 64.0 * 64 * 64) {
        problems.add("libtorch multiplies wrongly on this machine: the sum is " + sum + ".");
      }
    }
    return new Libtorch(
        Loader.getVersion("org.bytedeco", "pytorch"),
        torch.get_cpu_capability().getString(),
        torch.get_num_threads(),
        torch.hasCUDA(),
        torch.cuda_device_count());
  }

  private static boolean hasNvidiaDriver() {
    return Files.exists(Path.of("/proc/driver/nvidia/version"))
        || Files.exists(Path.of("C:\\Windows\\System32\\nvcuda.dll"));
  }

  private static String text(Findings f) {
    StringBuilder text = new StringBuilder();
    line(text, "bmojo", f.version);
    line(text, "Java", f.java);
    line(text, "system", f.system + ", " + f.cores + " cores, " + gigabytes(f.memoryBytes));
    line(text, "Java heap", "at most " + gigabytes(f.heapBytes));
    line(text, "Vector API", f.vectorBits + " bits, " + f.vectorBits / Float.SIZE + " floats");
    Libtorch t = f.libtorch;
    if (t != null) {
      line(text, "libtorch", t.version + ", " + t.cpu + ", " + t.threads + " threads");
      line(text, "CUDA", t.cuda ? t.gpus + " GPUs seen" : "not in this build");
    }
    f.hints.forEach(hint -> line(text, "hint", hint));
    f.problems.forEach(problem -> line(text, "problem", problem));
    return text.append(f.problems.isEmpty() ? "ready" : "not ready").toString();
  }

  private static void line(StringBuilder text, String what, String value) {
    text.append(String.format(Locale.ROOT, "%-12s%s%n", what, value));
  }

  private static String gigabytes(long bytes) {
    return String.format(Locale.ROOT, "%.1f GB", bytes / 1e9);
  }
}
