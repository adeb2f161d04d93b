package org.bmojo.checkpoint;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bmojo.error.BadInput;
import org.bmojo.io.AtomicFile;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Named tensors in a safetensors file, or in several with an index, opened as memory.
 *
 * <pre>{@code
 * Safetensors.write(file, Map.of("w", w), Map.of("format", "1"));
 * try (Safetensors saved = Safetensors.open(file)) {
 *   saved.copyInto("w", w);
 * }
 * }</pre>
 *
 * <p>Format: <a href="https://github.com/huggingface/safetensors">huggingface/safetensors</a>.
 */
public final class Safetensors implements AutoCloseable {
  private final String where;
  private final List<SafetensorsFile> files;
  private final Map<String, SafetensorsFile> owners = new LinkedHashMap<>();
  private final Map<String, TensorEntry> entries = new LinkedHashMap<>();
  private final Map<String, String> metadata = new LinkedHashMap<>();

  Safetensors(Path where, List<SafetensorsFile> files) {
    this.where = where.toString();
    this.files = List.copyOf(files);
    for (SafetensorsFile file : files) {
      metadata.putAll(file.header().metadata());
      for (TensorEntry entry : file.header().tensors().values()) {
        SafetensorsFile other = owners.putIfAbsent(entry.name(), file);
        if (other != null) {
          throw new BadInput(
              "tensor " + entry.name() + " is in " + other.path() + " and in " + file.path(),
              "expected it once",
              "Export or download the files again");
        }
        entries.put(entry.name(), entry);
      }
    }
  }

  /**
   * Opens weights and checks everything their headers say.
   *
   * @param path a {@code .safetensors} file, an {@code .index.json} that names several, or a folder
   *     with {@code model.safetensors} or {@code model.safetensors.index.json}
   * @throws BadInput if anything is missing or malformed
   */
  public static Safetensors open(Path path) {
    return ShardIndex.open(path);
  }

  /**
   * Writes tensors to {@code file} at once: a failure leaves what was there before.
   *
   * @param tensors on any device, with any strides; the file's order depends on names and element
   *     types alone, so equal tensors make equal bytes
   * @param metadata free text by key
   * @throws BadInput if an element type has no name in the format, or the file cannot be written
   */
  public static void write(Path file, Map<String, Tensor> tensors, Map<String, String> metadata) {
    AtomicFile.replace(file, channel -> SafetensorsWriter.write(channel, tensors, metadata));
  }

  /** Names of all tensors. */
  public Set<String> names() {
    return Collections.unmodifiableSet(entries.keySet());
  }

  /** Descriptions of all tensors. */
  public Collection<TensorEntry> entries() {
    return Collections.unmodifiableCollection(entries.values());
  }

  /** The files' own key-value text. */
  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(metadata);
  }

  /** Type and shape of one tensor. */
  public TensorEntry entry(String name) {
    @Nullable TensorEntry entry = entries.get(name);
    if (entry != null) return entry;
    throw new BadInput(
        where + " has no tensor " + name,
        "expected it among its " + entries.size(),
        "Use weights that were made for this configuration");
  }

  /**
   * A tensor over the file's own pages, on the CPU, attached to the innermost {@link Scope}. It may
   * outlive this object: the file stays mapped until its last tensor is freed. It must not be
   * written to; the pages are read-only and the process would die. (A tensor whose data is not
   * aligned to its elements is copied.)
   */
  public Tensor tensor(String name) {
    TensorEntry entry = entry(name);
    SafetensorsFile file = owners.get(name);
    if (file == null) throw new AssertionError(name);
    return file.tensor(entry);
  }

  /**
   * Copies a tensor into {@code target}, converting element type and device.
   *
   * @throws BadInput if there is no such tensor or its shape is another
   */
  public void copyInto(String name, Tensor target) {
    TensorEntry entry = entry(name);
    if (!Arrays.equals(entry.sizes(), target.shape())) {
      throw new BadInput(
          where + ": tensor " + name + " has shape " + entry.shape(),
          "expected " + Arrays.toString(target.shape()),
          "Use weights that were made for this configuration");
    }
    try (Scope _ = new Scope();
        NoGradGuard _ = new NoGradGuard()) {
      target.copy_(tensor(name));
    }
  }

  /** Name of the file that has a tensor. */
  String fileOf(String name) {
    SafetensorsFile file = owners.get(name);
    if (file == null) throw new AssertionError(name);
    return file.path().getFileName().toString();
  }

  /** Lets go of the files; tensors already handed out stay valid. */
  @Override
  public void close() {
    files.forEach(SafetensorsFile::close);
  }
}
