package org.bmojo.kernels.op;

import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A matrix (out, in) made small for inference: what {@link PackedLinear} multiplies by.
 *
 * <p>Eight and four bits are symmetric with a scale for each {@value #BLOCK} numbers of a row: a
 * number is scale · (code − zero), with zero 128 or 8. Scales are bfloat16, rounded before the
 * codes are chosen, so that their rounding costs nothing.
 *
 * <p>These two lie in panels of {@value #PANEL} rows side by side, so that a vector of codes holds
 * as many rows, is multiplied by one element of x, and no sum over lanes is left at the end:
 *
 * <pre>
 *   codes   bytes (panels, blocks, g, 16 rows, 4): four columns in a row's 4 bytes, g = 8;
 *           of 4-bit codes eight columns, low halves first, g = 4
 *   scales  bfloat16 (panels, blocks/2, 16 rows, 2): those of an even block and the one after it
 * </pre>
 *
 * <p>Rows are padded to whole panels and columns to an even number of blocks, with zeros. The wider
 * types stay (out, in), columns padded to whole blocks if they are bfloat16.
 *
 * @param out rows
 * @param in columns
 * @param scales null for types without
 */
public record PackedMatrix(Format format, long out, long in, Tensor codes, @Nullable Tensor scales)
    implements AutoCloseable {
  /** Numbers that share a scale. */
  public static final int BLOCK = 32;

  /** Rows that lie side by side. */
  public static final int PANEL = 16;

  /** How numbers are kept. */
  public enum Format {
    FP32(32),
    BF16(16),
    INT8(8),
    INT4(4);

    private final int bits;

    Format(int bits) {
      this.bits = bits;
    }

    /** Bits of a code. */
    public int bits() {
      return bits;
    }

    /** Whether codes are whole numbers in panels, with scales. */
    public boolean isInteger() {
      return bits <= 8;
    }

    /** What code stands for 0. */
    public int zero() {
      return 1 << (bits - 1);
    }

    /**
     * As users say it.
     *
     * @throws BadInput for anything but {@code fp32}, {@code bf16}, {@code int8} and {@code int4}
     */
    public static Format named(String name) {
      for (Format f : values()) if (f.toString().equals(name.toLowerCase(Locale.ROOT))) return f;
      throw new BadInput("weights " + name, "expected fp32, bf16, int8 or int4", "Correct it");
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * Packs a matrix. The result belongs to the innermost scope.
   *
   * @param matrix (out, in) of any type of floating point
   */
  public static PackedMatrix of(Tensor matrix, Format format) {
    long out = matrix.size(0), in = matrix.size(1);
    try (Scope scope = new Scope()) {
      return switch (format) {
        case FP32 -> {
          Tensor same = matrix.to(ScalarType.Float).contiguous();
          yield new PackedMatrix(format, out, in, scope.keep(same), null);
        }
        case BF16 -> {
          Tensor narrow = padded(matrix.to(ScalarType.BFloat16), out, up(in, BLOCK)).contiguous();
          yield new PackedMatrix(format, out, in, scope.keep(narrow), null);
        }
        case INT8, INT4 -> quantised(matrix.to(ScalarType.Float), format, scope);
      };
    }
  }

  private static PackedMatrix quantised(Tensor matrix, Format format, Scope scope) {
    long out = matrix.size(0), in = matrix.size(1);
    Tensor whole = padded(matrix, up(out, PANEL), up(in, 2 * BLOCK));
    long panels = whole.size(0) / PANEL, blocks = whole.size(1) / BLOCK;
    Tensor numbers = whole.reshape(panels, PANEL, blocks, BLOCK);
    Tensor scale = scale(numbers, format).to(ScalarType.BFloat16); // (panels, 16, blocks)
    Tensor divisor = scale.to(ScalarType.Float);
    divisor = divisor.masked_fill(divisor.eq(new Scalar(0.0)), scalar(1)).unsqueeze(-1);
    int zero = format.zero();
    // Eight bits use −127 … 127; of four, the largest magnitude takes the one code without a twin.
    double low = format == Format.INT8 ? 1 : 0, high = 2 * zero - 1;
    Tensor codes =
        numbers
            .div(divisor)
            .round()
            .add(scalar(zero))
            .clamp_min(scalar(low))
            .clamp_max(scalar(high));
    Tensor bytes =
        format == Format.INT8
            ? codes.reshape(panels, PANEL, blocks, 8, 4)
            : pairs(codes.reshape(panels, PANEL, blocks, 4, 4, 2));
    Tensor laidOut = bytes.to(ScalarType.Byte).permute(0, 2, 3, 1, 4).contiguous();
    Tensor scales = scale.reshape(panels, PANEL, blocks / 2, 2).permute(0, 2, 1, 3).contiguous();
    return new PackedMatrix(format, out, in, scope.keep(laidOut), scope.keep(scales));
  }

  private static Tensor scale(Tensor numbers, Format format) {
    if (format == Format.INT8) return numbers.abs().amax(new long[] {-1}, false).div(scalar(127));
    Tensor at = numbers.abs().argmax(new org.bytedeco.pytorch.LongOptional(-1), true);
    return numbers.gather(-1, at).squeeze(-1).div(scalar(-8));
  }

  private static Tensor pairs(Tensor codes) {
    return codes.select(-1, 0).add(codes.select(-1, 1).mul(scalar(16)));
  }

  private static Tensor padded(Tensor t, long rows, long columns) {
    if (t.size(0) == rows && t.size(1) == columns) return t;
    Tensor larger = zeros(t, rows, columns);
    larger.narrow(0, 0, t.size(0)).narrow(1, 0, t.size(1)).copy_(t);
    return larger;
  }

  private static long up(long count, long unit) {
    return (count + unit - 1) / unit * unit;
  }

  /** What the codes stand for, (out, in) float32: the truth about this matrix. */
  public Tensor unpacked() {
    try (Scope scope = new Scope()) {
      Tensor scales = this.scales;
      if (scales == null) {
        return scope.keep(codes.to(ScalarType.Float).narrow(1, 0, in).contiguous());
      }
      long panels = codes.size(0), blocks = codes.size(1);
      Tensor bytes = codes.to(ScalarType.Int).permute(0, 3, 1, 2, 4); // (panels, 16, blocks, g, 4)
      if (format == Format.INT4) {
        Tensor high = torch.bitwise_right_shift(bytes, new Scalar(4L));
        Tensor lower = bytes.sub(high.mul(new Scalar(16L)));
        bytes = torch.stack(new org.bytedeco.pytorch.TensorVector(lower, high), -1);
      }
      Tensor numbers = bytes.reshape(panels, PANEL, blocks, BLOCK).sub(new Scalar(format.zero()));
      Tensor scale = scales.to(ScalarType.Float).permute(0, 2, 1, 3).reshape(panels, PANEL, blocks);
      Tensor rows = numbers.to(ScalarType.Float).mul(scale.unsqueeze(-1));
      Tensor all = rows.reshape(panels * PANEL, blocks * BLOCK);
      return scope.keep(all.narrow(0, 0, out).narrow(1, 0, in).contiguous());
    }
  }

  /**
   * Some of the rows, over the same memory.
   *
   * @param from a multiple of {@value #PANEL} for whole numbers, as is {@code count} unless they
   *     are the last
   */
  public PackedMatrix rows(long from, long count) {
    Tensor scales = this.scales;
    if (scales == null)
      return new PackedMatrix(format, count, in, codes.narrow(0, from, count), null);
    if (from % PANEL != 0 || (count % PANEL != 0 && from + count != out)) {
      throw new IllegalArgumentException("rows " + from + " to " + (from + count) + " of panels");
    }
    long first = from / PANEL, panels = up(count, PANEL) / PANEL;
    return new PackedMatrix(
        format, count, in, codes.narrow(0, first, panels), scales.narrow(0, first, panels));
  }

  /** Whether {@link #rows} can cut here. */
  public boolean cutsAt(long row) {
    return !format.isInteger() || row % PANEL == 0;
  }

  /** The tensors it consists of. */
  public List<Tensor> tensors() {
    List<Tensor> all = new ArrayList<>(List.of(codes));
    if (scales != null) all.add(scales);
    return all;
  }

  /** Bytes of them. */
  public long bytes() {
    return tensors().stream().mapToLong(t -> t.numel() * t.element_size()).sum();
  }

  /** Lives on when its scope ends, until {@link #close}. */
  public PackedMatrix retained() {
    tensors().forEach(Tensor::retainReference);
    return this;
  }

  @Override
  public void close() {
    tensors().forEach(Tensor::releaseReference);
  }
}
