package org.bmojo.kernels.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Comparisons of tensors. Errors are relative to the largest magnitude in the wanted tensor: sums
 * cancel, so an element's own magnitude says nothing about the rounding behind it.
 */
public final class Close {
  private Close() {}

  /**
   * Within the rounding of {@code actual}'s type over {@code length} dependent operations.
   *
   * @param name of the tensor, for the message
   * @param length of the longest sum or recurrence behind an element; rounding grows as its root
   */
  public static void assertClose(String name, Tensor actual, Tensor wanted, long length) {
    double eps = epsilon(actual.scalar_type().intern());
    assertWithin(name, actual, wanted, 8 * eps * Math.sqrt(Math.max(length, 4)));
  }

  /** The same with the tolerance spelt out. */
  public static void assertWithin(String name, Tensor actual, Tensor wanted, double tolerance) {
    assertThat(Shapes.of(actual)).as("shape of " + name).isEqualTo(Shapes.of(wanted));
    if (actual.numel() == 0) return;
    double error = error(actual, wanted);
    assertThat(error)
        .as("%s %s: relative error", name, Arrays.toString(Shapes.of(actual)))
        .isLessThanOrEqualTo(tolerance); // false for NaN
  }

  /** The same bits, NaN apart. */
  public static void assertSame(String name, Tensor actual, Tensor wanted) {
    assertThat(actual.scalar_type().intern())
        .as("type of " + name)
        .isEqualTo(wanted.scalar_type().intern());
    assertThat(Shapes.of(actual)).as("shape of " + name).isEqualTo(Shapes.of(wanted));
    assertThat(actual.equal(wanted)).as("%s is the same bit for bit", name).isTrue();
  }

  /**
   * {@code actual}'s error against {@code truth} is no worse than that of {@code peer}, the
   * reference room's answer in the same type; the root mean square is compared, which one unlucky
   * rounding does not decide, with a quarter and one rounding of slack (four where there are too
   * few elements for a mean to mean much).
   */
  public static void assertNoWorse(String name, Tensor actual, Tensor peer, Tensor truth) {
    if (actual.numel() == 0) return;
    double eps = epsilon(actual.scalar_type().intern());
    double scale = wide(truth).square().mean().sqrt().item_double();
    double allowed = 1.25 * rms(peer, truth) + eps / 2 * scale * (truth.numel() < 32 ? 4 : 1);
    assertThat(rms(actual, truth))
        .as("%s: root mean square error beside the reference room's", name)
        .isLessThanOrEqualTo(allowed);
  }

  /** Largest difference over largest wanted magnitude (or over 1e-30 where all is zero). */
  public static double error(Tensor actual, Tensor wanted) {
    Tensor w = wide(wanted);
    double scale = Math.max(w.abs().max().item_double(), 1e-30);
    return wide(actual).sub(w).abs().max().item_double() / scale;
  }

  private static double rms(Tensor actual, Tensor truth) {
    return wide(actual).sub(wide(truth)).square().mean().sqrt().item_double();
  }

  /** In float64, on the CPU. */
  static Tensor wide(Tensor t) {
    return t.detach().to(new Device("cpu"), ScalarType.Double);
  }

  private static double epsilon(ScalarType type) {
    return switch (type) {
      case Double -> 0x1p-52;
      case Float -> 0x1p-23;
      case BFloat16 -> 0x1p-8;
      case Half -> 0x1p-10;
      default -> throw new IllegalArgumentException("no tolerance for " + type);
    };
  }
}
