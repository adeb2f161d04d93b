package org.bmojo.checkpoint;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bmojo.error.BadInput;
import org.bmojo.io.Json;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The JSON header of a safetensors file. What {@link #parse} lets through describes tensors that
 * fill the file's data exactly: in bounds, of the size their shapes say, no two overlapping, no
 * gap.
 *
 * @param tensors by name, in the order of their data
 * @param metadata free text by key
 */
record SafetensorsHeader(Map<String, TensorEntry> tensors, Map<String, String> metadata) {
  /** Longest header that readers of the format accept. */
  static final int MAX_BYTES = 100_000_000;

  private static final String METADATA = "__metadata__";
  private static final String CURE = "Download or export the file again";

  /**
   * Reads and checks a header.
   *
   * @param json the header's bytes
   * @param dataBytes how many bytes follow it
   * @param file for messages
   */
  static SafetensorsHeader parse(byte[] json, long dataBytes, String file) {
    JsonNode root = Json.tree(json, file + ": header");
    if (!root.isObject()) throw bad(file + ": header is no JSON object", "expected {…}");
    Map<String, String> metadata = new LinkedHashMap<>();
    List<TensorEntry> entries = new ArrayList<>();
    for (Map.Entry<String, JsonNode> field : root.properties()) {
      if (field.getKey().equals(METADATA)) {
        readMetadata(field.getValue(), metadata, file);
      } else {
        entries.add(entry(field.getKey(), field.getValue(), dataBytes, file));
      }
    }
    return new SafetensorsHeader(tiled(entries, dataBytes, file), metadata);
  }

  private static void readMetadata(JsonNode node, Map<String, String> into, String file) {
    if (!node.isObject()) throw bad(file + ": __metadata__ is " + node, "expected an object");
    for (Map.Entry<String, JsonNode> e : node.properties()) {
      if (!e.getValue().isString()) {
        throw bad(
            file + ": metadata \"" + e.getKey() + "\" is " + e.getValue(), "expected a string");
      }
      into.put(e.getKey(), e.getValue().stringValue());
    }
  }

  private static TensorEntry entry(String name, JsonNode node, long dataBytes, String file) {
    String where = file + ": tensor " + name;
    if (!node.isObject()
        || !Set.copyOf(node.propertyNames()).equals(Set.of("dtype", "shape", "data_offsets"))) {
      throw bad(
          where + " is described by " + shortened(node),
          "expected an object with dtype, shape and data_offsets");
    }
    Dtype dtype = dtype(node.get("dtype"), where);
    long[] shape = wholeNumbers(node.get("shape"), where + " has shape ");
    long[] offsets = wholeNumbers(node.get("data_offsets"), where + " has data_offsets ");
    if (offsets.length != 2 || offsets[0] > offsets[1] || offsets[1] > dataBytes) {
      throw bad(
          where + " has data_offsets " + Arrays.toString(offsets),
          "expected begin ≤ end ≤ " + dataBytes + ", the bytes after the header");
    }
    long bytes = bytes(shape, dtype);
    if (bytes != offsets[1] - offsets[0]) {
      throw bad(
          where + " has " + (offsets[1] - offsets[0]) + " bytes",
          "expected " + (bytes < 0 ? "fewer than 2^63" : bytes) + describe(shape, dtype));
    }
    return new TensorEntry(
        name, dtype, Arrays.stream(shape).boxed().toList(), offsets[0], offsets[1]);
  }

  private static Dtype dtype(JsonNode node, String where) {
    String name = node.isString() ? node.stringValue() : "";
    return Dtype.named(name)
        .orElseThrow(() ->
            new BadInput(
                where + " has dtype " + shortened(node),
                "expected one of " + Arrays.toString(Dtype.values()),
                "Convert the tensor before saving it"));
  }

  private static long[] wholeNumbers(JsonNode node, String what) {
    boolean sound = node.isArray();
    for (JsonNode n : node) {
      sound &= n.isIntegralNumber() && n.canConvertToLong() && n.longValue() >= 0;
    }
    if (!sound) throw bad(what + shortened(node), "expected whole numbers from 0 to 2^63 - 1");
    long[] values = new long[node.size()];
    for (int i = 0; i < values.length; i++) values[i] = node.get(i).longValue();
    return values;
  }

  /** Product of sizes and element size, or −1 if no file can hold as much. */
  private static long bytes(long[] shape, Dtype dtype) {
    // A zero anywhere makes the tensor empty, however large the other sizes are.
    for (long size : shape) if (size == 0) return 0;
    try {
      long product = dtype.bytes();
      for (long size : shape) product = Math.multiplyExact(product, size);
      return product;
    } catch (ArithmeticException overflow) {
      return -1;
    }
  }

  private static String describe(long[] shape, Dtype dtype) {
    return " for " + dtype + " of shape " + Arrays.toString(shape);
  }

  /** The entries in the order of their data, if they follow each other without gap or overlap. */
  private static Map<String, TensorEntry> tiled(
      List<TensorEntry> entries, long dataBytes, String file) {
    entries.sort(Comparator.comparingLong(TensorEntry::begin).thenComparingLong(TensorEntry::end));
    Map<String, TensorEntry> tensors = new LinkedHashMap<>();
    long covered = 0;
    for (TensorEntry e : entries) {
      if (e.begin() != covered) {
        String what = e.begin() < covered ? " overlaps the one before it" : " comes after a gap";
        throw bad(
            file + ": tensor " + e.name() + what,
            "expected its data at byte " + covered + ", not " + e.begin());
      }
      covered = e.end();
      tensors.put(e.name(), e);
    }
    if (covered != dataBytes) {
      throw bad(
          file + " has " + dataBytes + " bytes after the header",
          "expected the " + covered + " that its tensors take");
    }
    return tensors;
  }

  /** The header as it stands in a file: JSON padded with spaces to a multiple of eight bytes. */
  byte[] toBytes() {
    ObjectNode root = Json.mapper().createObjectNode();
    if (!metadata.isEmpty()) {
      ObjectNode node = root.putObject(METADATA);
      metadata.forEach(node::put);
    }
    for (TensorEntry e : tensors.values()) {
      ObjectNode node = root.putObject(e.name());
      node.put("dtype", e.dtype().name());
      var shape = node.putArray("shape");
      e.shape().forEach(shape::add);
      node.putArray("data_offsets").add(e.begin()).add(e.end());
    }
    byte[] json = root.toString().getBytes(StandardCharsets.UTF_8);
    byte[] padded = Arrays.copyOf(json, Math.ceilDiv(json.length, 8) * 8);
    Arrays.fill(padded, json.length, padded.length, (byte) ' ');
    return padded;
  }

  private static String shortened(JsonNode node) {
    String text = node.toString();
    return text.length() <= 80 ? text : text.substring(0, 79) + "…";
  }

  private static BadInput bad(String found, String expected) {
    return new BadInput(found, expected, CURE);
  }
}
