package org.bmojo.kernels.torch;

import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.pytorch.DoubleArrayRef;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Short spellings of libtorch calls that JavaCPP makes long. */
public final class Tensors {
  private Tensors() {}

  /** Zeros with the type and device of {@code like}. */
  public static Tensor zeros(Tensor like, long... shape) {
    return torch.zeros(shape, like.options());
  }

  /** Zeros of another type on the device of {@code like}. */
  public static Tensor zeros(Tensor like, ScalarType type, long... shape) {
    return torch.zeros(shape, like.options().dtype(new ScalarTypeOptional(type)));
  }

  /** Uninitialised memory with the type and device of {@code like}. */
  public static Tensor empty(Tensor like, long... shape) {
    return torch.empty(shape, like.options(), null);
  }

  /** Uninitialised memory of another type on the device of {@code like}. */
  public static Tensor empty(Tensor like, ScalarType type, long... shape) {
    return torch.empty(shape, like.options().dtype(new ScalarTypeOptional(type)), null);
  }

  /** The whole numbers from {@code from} up to but not including {@code to}, int64. */
  public static Tensor range(Tensor like, long from, long to) {
    return torch.arange(
        new Scalar(from),
        new Scalar(to),
        like.options().dtype(new ScalarTypeOptional(ScalarType.Long)));
  }

  /** A number as libtorch takes it. */
  public static Scalar scalar(double value) {
    return new Scalar(value);
  }

  /** Joins along an existing axis. */
  public static Tensor cat(long axis, Tensor... parts) {
    return torch.cat(new TensorVector(parts), axis);
  }

  /** Joins along a new axis. */
  public static Tensor stack(long axis, Tensor... parts) {
    return torch.stack(new TensorVector(parts), axis);
  }

  /** Einstein summation. */
  public static Tensor einsum(String equation, Tensor... operands) {
    return torch.einsum(equation, new TensorVector(operands));
  }

  /**
   * float64 for float64 tensors, float32 for all others: what states and statistics are kept in.
   */
  public static ScalarType accumulation(Tensor t) {
    return t.scalar_type().intern() == ScalarType.Double ? ScalarType.Double : ScalarType.Float;
  }

  /** {@code t} in the type of {@link #accumulation}. */
  public static Tensor accumulated(Tensor t) {
    return t.to(accumulation(t));
  }

  /** {@code t} in the type of {@code like}. */
  public static Tensor as(Tensor t, Tensor like) {
    return t.to(like.scalar_type());
  }

  /** A float64 vector on the CPU. */
  public static Tensor of(double[] values) {
    return torch.tensor(new DoubleArrayRef(new DoublePointer(values), values.length));
  }
}
