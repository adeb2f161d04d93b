package org.bmojo.layer;

import static org.bmojo.kernels.torch.Tensors.accumulation;
import static org.bmojo.kernels.torch.Tensors.of;
import static org.bmojo.kernels.torch.Tensors.scalar;

import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Angles of rotary embedding: position p turns plane m of a head by p · base^(−2m/D), or by what a
 * scaling makes of that. Computed in float64, so that a million positions away the angle is still
 * right; or in float32, in which published Transformers were trained, and whose angles they know.
 *
 * @param headDim D, even
 * @param base usually 10,000
 * @param scaling null for none
 * @param single whether angles are rounded to float32
 */
public record RotaryTable(int headDim, double base, @Nullable RopeScaling scaling, boolean single) {
  /** Cosines and sines, each (positions, D/2). */
  public record Angles(Tensor cos, Tensor sin) {}

  /** Whether the angle of a position depends on how many positions are asked for. */
  public boolean lengthMatters() {
    return scaling instanceof RopeScaling.Dynamic;
  }

  /** Without scaling. */
  public RotaryTable(int headDim, double base) {
    this(headDim, base, null, false);
  }

  /**
   * What cosines and sines are multiplied by; turning a head and turning it back multiplies it by
   * the square.
   */
  public double magnitude() {
    return scaling == null ? 1 : scaling.magnitude();
  }

  /** The angle of each plane per position, where it is the same whatever was read; else null. */
  public double @Nullable [] frequencies() {
    if (scaling != null || single) return null;
    return new RopeScaling.Planes(headDim, base, false).frequencies();
  }

  /** For positions start … start+count−1, in the accumulation type and on the device of like. */
  public Angles at(Tensor like, long start, long count) {
    try (Scope scope = new Scope()) {
      TensorOptions wide = new TensorOptions(type());
      Tensor position = torch.arange(new Scalar(start), new Scalar(start + count), wide);
      return keep(scope, like, at(position, start + count));
    }
  }

  /** For any positions (…): tables (…, D/2). */
  public Angles at(Tensor like, Tensor positions) {
    try (Scope scope = new Scope()) {
      Tensor wide = positions.to(new Device("cpu"), type());
      long length = lengthMatters() ? (long) wide.max().item_double() + 1 : 0;
      return keep(scope, like, at(wide, length));
    }
  }

  private ScalarType type() {
    return single ? ScalarType.Float : ScalarType.Double;
  }

  private Tensor at(Tensor positions, long length) {
    RopeScaling.Planes planes = new RopeScaling.Planes(headDim, base, single);
    double[] frequencies = scaling == null ? planes.frequencies() : scaling.stretch(planes, length);
    return positions.unsqueeze(-1).mul(of(frequencies).to(type()));
  }

  private Angles keep(Scope scope, Tensor like, Tensor angle) {
    // An angle that was rounded still has a cosine in float64, the same on every machine.
    Tensor wide = angle.to(ScalarType.Double);
    Tensor cos = wide.cos(), sin = wide.sin();
    if (magnitude() != 1) {
      cos = cos.mul(scalar(magnitude()));
      sin = sin.mul(scalar(magnitude()));
    }
    return new Angles(
        scope.keep(cos.to(like.device(), accumulation(like))),
        scope.keep(sin.to(like.device(), accumulation(like))));
  }
}
