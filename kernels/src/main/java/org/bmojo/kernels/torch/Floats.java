package org.bmojo.kernels.torch;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A float32 tensor's memory, without a copy: element i in row-major order is the i-th float of the
 * segment, and an access beyond the last one throws.
 *
 * @param owner keeps the memory alive: whoever holds this view may use it
 * @param memory the elements
 */
public record Floats(Tensor owner, MemorySegment memory) {
  /**
   * The elements of {@code t}; of a float32 copy of it where it is not contiguous or of a narrower
   * type, which then belongs to the innermost scope and takes no writes back.
   *
   * @throws IllegalArgumentException for float64, whose digits would be lost, and for tensors that
   *     are not on the CPU
   */
  public static Floats of(Tensor t) {
    ScalarType type = t.scalar_type().intern();
    if (type == ScalarType.Double || !t.is_cpu()) {
      throw new IllegalArgumentException(
          "found a tensor of type "
              + type
              + " on "
              + t.device().str().getString()
              + "; a view of float32 memory is for narrower types on the CPU");
    }
    return view(type == ScalarType.Float ? t.contiguous() : t.to(ScalarType.Float).contiguous());
  }

  /** Uninitialised float32 memory of the shape of {@code t}, in the innermost scope. */
  public static Floats like(Tensor t) {
    return view(Tensors.empty(t, ScalarType.Float, Shapes.of(t)));
  }

  private static Floats view(Tensor t) {
    long bytes = Math.multiplyExact(t.numel(), (long) Float.BYTES);
    if (bytes == 0) return new Floats(t, MemorySegment.NULL);
    MemorySegment start = MemorySegment.ofAddress(t.data_ptr().address());
    return new Floats(t, start.reinterpret(bytes));
  }

  /** Element {@code index}. */
  public float get(long index) {
    return memory.getAtIndex(ValueLayout.JAVA_FLOAT, index);
  }

  /** Writes element {@code index}. */
  public void set(long index, float value) {
    memory.setAtIndex(ValueLayout.JAVA_FLOAT, index, value);
  }

  /** Copies {@code count} elements from {@code index} on into {@code to}. */
  public void read(long index, float[] to, int at, int count) {
    MemorySegment.copy(memory, ValueLayout.JAVA_FLOAT, index * Float.BYTES, to, at, count);
  }

  /** Copies {@code count} elements of {@code from} to {@code index} and on. */
  public void write(long index, float[] from, int at, int count) {
    MemorySegment.copy(from, at, memory, ValueLayout.JAVA_FLOAT, index * Float.BYTES, count);
  }
}
