package org.bmojo.bench.open;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.Safetensors;
import org.bmojo.foreign.Architecture;
import org.bmojo.foreign.Architectures;
import org.bmojo.foreign.Settings;
import org.bmojo.io.Json;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import tools.jackson.databind.node.ObjectNode;

/**
 * Makes an 8B-parameter checkpoint with random weights, and opens it.
 *
 * <pre>
 *   java @bench/target/cpu/java.args org.bmojo.bench.open.OpenLargeModel make big    16.4 GB
 *   java @bench/target/cpu/java.args org.bmojo.bench.open.OpenLargeModel open big
 * </pre>
 *
 * <p>{@code open} prints seconds and resident memory after loading libtorch, which every command
 * does once, after opening, and after one token, for which every weight is read. Apart from {@code
 * make}, so that no memory is left over from it. What the system has not cached of the files it
 * reads during that token.
 */
public final class OpenLargeModel {
  private static final long SHARD = 4L << 30;
  private static final long SEED = 8;

  private OpenLargeModel() {}

  /** Runs {@code make} or {@code open} on a folder. */
  public static void main(String[] args) throws IOException {
    if (args.length != 2 || !List.of("make", "open").contains(args[0])) {
      System.err.println("OpenLargeModel make|open FOLDER");
      System.exit(2);
    }
    Path folder = Path.of(args[1]);
    if (args[0].equals("make")) make(folder);
    else open(folder);
  }

  /** Qwen3-8B's sizes. */
  private static ObjectNode config() {
    ObjectNode config = Json.mapper().createObjectNode();
    config.putArray("architectures").add("Qwen3ForCausalLM");
    return config
        .put("vocab_size", 151_936)
        .put("hidden_size", 4096)
        .put("intermediate_size", 12_288)
        .put("num_hidden_layers", 36)
        .put("num_attention_heads", 32)
        .put("num_key_value_heads", 8)
        .put("head_dim", 128);
  }

  private static void make(Path folder) throws IOException {
    Files.createDirectories(folder);
    ObjectNode config = config();
    Architecture qwen = Architectures.named("Qwen3ForCausalLM");
    if (qwen == null) throw new AssertionError("no Qwen3");
    Architecture.Translation translation = qwen.read(new Settings(config, "config"));
    Map<String, String> index = new LinkedHashMap<>();
    try (Scope scope = new Scope();
        LanguageModel shapes = LanguageModel.shapes(translation.model(), ScalarType.BFloat16)) {
      torch.manual_seed(SEED);
      Map<String, Tensor> byShape =
          new HashMap<>(); // Random once per shape: it is the bytes that count.
      Map<String, Tensor> shard = new LinkedHashMap<>();
      long bytes = 0;
      for (var e : shapes.parameters().entrySet()) {
        long[] shape = Shapes.of(e.getValue().value());
        Tensor tensor = byShape.computeIfAbsent(Arrays.toString(shape), s -> random(shape));
        if (bytes > 0 && bytes + 2 * tensor.numel() > SHARD) bytes = write(folder, index, shard);
        shard.put(translation.names().theirs(e.getKey()).getFirst(), tensor);
        bytes += 2 * tensor.numel();
      }
      write(folder, index, shard);
    }
    ObjectNode map = Json.mapper().createObjectNode();
    index.forEach(map.putObject("weight_map")::put);
    Files.write(folder.resolve("model.safetensors.index.json"), Json.bytes(map));
    Files.write(folder.resolve("config.json"), Json.bytes(config));
  }

  private static Tensor random(long[] shape) {
    Tensor t = torch.empty(shape, new TensorOptions(ScalarType.BFloat16), null);
    t.normal_(0, 0.02, new GeneratorOptional());
    return t;
  }

  private static long write(Path folder, Map<String, String> index, Map<String, Tensor> shard) {
    long number = index.values().stream().distinct().count() + 1;
    String name = "model-%05d.safetensors".formatted(number);
    Safetensors.write(folder.resolve(name), shard, Map.of("format", "pt"));
    shard.keySet().forEach(tensor -> index.put(tensor, name));
    shard.clear();
    return 0;
  }

  private static void open(Path folder) throws IOException {
    long onDisk;
    try (Stream<Path> files = Files.list(folder)) {
      onDisk = files.mapToLong(p -> p.toFile().length()).sum();
    }
    System.out.printf("%.2f GB on disk%n", onDisk / 1e9);
    long begin = System.nanoTime();
    try (Scope scope = new Scope()) {
      Ids.tensor(new int[] {1});
      report("libtorch", begin, onDisk);
      begin = System.nanoTime();
      try (Checkpoint checkpoint = Checkpoint.open(folder)) {
        report("opened", begin, onDisk);
        System.out.printf("%,d parameters%n", checkpoint.model().parameterCount());
        begin = System.nanoTime();
        checkpoint.model().lastLogits(Ids.tensor(new int[] {1}), null);
        report("one token", begin, onDisk);
      }
    }
  }

  private static void report(String what, long begin, long onDisk) throws IOException {
    double seconds = (System.nanoTime() - begin) / 1e9;
    long resident = resident();
    System.out.printf(
        "%-10s %.2f s; %.2f GB resident (%.3f of the files)%n",
        what, seconds, resident / 1e9, (double) resident / onDisk);
  }

  /** As the kernel counts it, mapped pages of files included. */
  private static long resident() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmRSS:")) return 1024 * Long.parseLong(line.replaceAll("\\D", ""));
    }
    throw new IllegalStateException("/proc/self/status has no VmRSS");
  }
}
