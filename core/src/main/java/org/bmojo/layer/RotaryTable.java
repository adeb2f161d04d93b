package org.bmojo.layer;

import static org.bmojo.kernels.torch.Tensors.accumulation;
import static org.bmojo.kernels.torch.Tensors.scalar;

import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Angles of rotary embedding: position p turns plane m of a head by p · base^(−2m/D). Computed in
 * float64, so that a million positions away the angle is still right.
 *
 * @param headDim D, even
 * @param base usually 10,000
 */
public record RotaryTable(int headDim, double base) {
  /** Cosines and sines, each (positions, D/2). */
  public record Angles(Tensor cos, Tensor sin) {}

  /** For positions start … start+count−1, in the accumulation type and on the device of like. */
  public Angles at(Tensor like, long start, long count) {
    try (Scope scope = new Scope()) {
      TensorOptions wide = new TensorOptions(ScalarType.Double);
      Tensor position = torch.arange(new Scalar(start), new Scalar(start + count), wide);
      return keep(scope, like, at(position));
    }
  }

  /** For any positions (…): tables (…, D/2). */
  public Angles at(Tensor like, Tensor positions) {
    try (Scope scope = new Scope()) {
      return keep(scope, like, at(positions.to(new Device("cpu"), ScalarType.Double)));
    }
  }

  private Tensor at(Tensor positions) {
    int half = headDim / 2;
    TensorOptions wide = new TensorOptions(ScalarType.Double);
    Tensor plane = torch.arange(new Scalar(0L), new Scalar((long) half), wide);
    Tensor frequency = torch.exp(plane.mul(scalar(-Math.log(base) / half)));
    return positions.unsqueeze(-1).mul(frequency);
  }

  private static Angles keep(Scope scope, Tensor like, Tensor angle) {
    return new Angles(
        scope.keep(angle.cos().to(like.device(), accumulation(like))),
        scope.keep(angle.sin().to(like.device(), accumulation(like))));
  }
}
