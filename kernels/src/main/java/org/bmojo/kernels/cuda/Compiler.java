package org.bmojo.kernels.cuda;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.bytedeco.cuda.global.nvrtc.nvrtcCompileProgram;
import static org.bytedeco.cuda.global.nvrtc.nvrtcCreateProgram;
import static org.bytedeco.cuda.global.nvrtc.nvrtcDestroyProgram;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetCUBIN;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetCUBINSize;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetErrorString;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetProgramLog;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetProgramLogSize;
import static org.bytedeco.cuda.global.nvrtc.nvrtcVersion;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.bytedeco.cuda.nvrtc._nvrtcProgram;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.javacpp.SizeTPointer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * CUDA source → machine code for one architecture. Results are kept on disk under a hash of
 * everything that went in, so that a kernel is compiled once per machine; the folder may be deleted
 * at any time.
 */
final class Compiler {
  /** System property that names another cache folder. */
  static final String CACHE_PROPERTY = "bmojo.cuda.cache";

  private static final Logger LOG = LoggerFactory.getLogger(Compiler.class);
  private static final List<String> HEADERS =
      List.of(
          "common.cuh",
          "matrix.cuh",
          "attention.cuh",
          "head_scan.cuh",
          "gated_ridge.cuh",
          "selective_scan.cuh",
          "best_tokens.cuh",
          "pipeline.cuh",
          "eidetic_layer.cuh");

  private Compiler() {}

  /**
   * Machine code of {@code <file>.cu}.
   *
   * @param architecture "sm_90a", say
   * @param options further compiler options
   * @throws IllegalStateException with NVRTC's log where the source does not compile
   */
  static byte[] compile(String file, String architecture, List<String> options) {
    String source = resource(file + ".cu");
    List<String> headers = HEADERS.stream().map(Compiler::resource).toList();
    List<String> all = new ArrayList<>();
    all.add("--gpu-architecture=" + architecture);
    all.add("--std=c++17");
    // Generic lambdas in kernels are host functions to NVRTC otherwise, though not to nvcc.
    all.add("--device-as-default-execution-space");
    all.addAll(options);
    Path cached = cache().resolve(file + "-" + hash(source, headers, all) + ".cubin");
    try {
      if (Files.exists(cached)) return Files.readAllBytes(cached);
    } catch (IOException e) {
      LOG.warn("compiling {} again: {} cannot be read: {}", file, cached, e.toString());
    }
    long start = System.nanoTime();
    byte[] cubin = nvrtc(file + ".cu", source, headers, all);
    LOG.debug("compiled {} {} in {} ms", file, options, (System.nanoTime() - start) / 1_000_000);
    keep(cached, cubin);
    return cubin;
  }

  private static byte[] nvrtc(
      String name, String source, List<String> headers, List<String> options) {
    try (PointerScope scope = new PointerScope()) {
      _nvrtcProgram program = new _nvrtcProgram();
      PointerPointer<BytePointer> texts = pointers(headers), names = pointers(HEADERS);
      check(
          name,
          nvrtcCreateProgram(
              program,
              new BytePointer(source),
              new BytePointer(name),
              HEADERS.size(),
              texts,
              names));
      try {
        int result = nvrtcCompileProgram(program, options.size(), pointers(options));
        if (result != 0) {
          throw new IllegalStateException(
              "CUDA kernel " + name + " does not compile with " + options + ":\n" + log(program));
        }
        SizeTPointer size = new SizeTPointer(1);
        check(name, nvrtcGetCUBINSize(program, size));
        byte[] cubin = new byte[(int) size.get()];
        check(name, nvrtcGetCUBIN(program, cubin));
        return cubin;
      } finally {
        nvrtcDestroyProgram(program);
      }
    }
  }

  private static PointerPointer<BytePointer> pointers(List<String> texts) {
    return new PointerPointer<>(texts.toArray(String[]::new));
  }

  private static String log(_nvrtcProgram program) {
    SizeTPointer size = new SizeTPointer(1);
    nvrtcGetProgramLogSize(program, size);
    byte[] text = new byte[(int) size.get()];
    nvrtcGetProgramLog(program, text);
    return new String(text, 0, Math.max(0, text.length - 1), UTF_8);
  }

  private static void check(String name, int result) {
    if (result == 0) return;
    throw new IllegalStateException(
        "NVRTC on CUDA kernel " + name + ": " + nvrtcGetErrorString(result).getString());
  }

  private static String resource(String name) {
    try (InputStream in = Compiler.class.getResourceAsStream(name)) {
      if (in == null) throw new IllegalStateException("CUDA source " + name + " is not packaged");
      return new String(in.readAllBytes(), UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String hash(String source, List<String> headers, List<String> options) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      int[] major = new int[1], minor = new int[1];
      nvrtcVersion(major, minor);
      String all = String.join("\0", source, String.join("\0", headers), String.join(" ", options));
      digest.update((all + "\0" + major[0] + "." + minor[0]).getBytes(UTF_8));
      return HexFormat.of().formatHex(digest.digest(), 0, 12);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The folder named by the property, or one in the user's cache folder. */
  private static Path cache() {
    String chosen = System.getProperty(CACHE_PROPERTY);
    if (chosen != null) return Path.of(chosen);
    String xdg = System.getenv("XDG_CACHE_HOME");
    Path base =
        xdg != null ? Path.of(xdg) : Path.of(System.getProperty("user.home", "."), ".cache");
    return base.resolve("bmojo").resolve("cuda");
  }

  /** Written beside and moved into place, so that two processes never read half a file. */
  private static void keep(Path cached, byte[] cubin) {
    try {
      Path folder = Files.createDirectories(cached.toAbsolutePath().getParent());
      Path draft = Files.createTempFile(folder, "draft", ".cubin");
      Files.write(draft, cubin);
      Files.move(draft, cached, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      LOG.warn("CUDA kernels are compiled anew in every run: {}", e.toString());
    }
  }
}
