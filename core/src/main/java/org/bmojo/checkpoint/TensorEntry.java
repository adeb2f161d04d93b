package org.bmojo.checkpoint;

import java.util.List;

/**
 * One line of a safetensors header.
 *
 * @param name the tensor's name
 * @param dtype element type
 * @param shape sizes, outermost first; empty for a scalar
 * @param begin first byte, counted from the end of the header
 * @param end one past the last byte
 */
public record TensorEntry(String name, Dtype dtype, List<Long> shape, long begin, long end) {
  /** Copies {@code shape}. */
  public TensorEntry {
    shape = List.copyOf(shape);
  }

  /** Bytes of data. */
  public long bytes() {
    return end - begin;
  }

  long[] sizes() {
    return shape.stream().mapToLong(Long::longValue).toArray();
  }
}
