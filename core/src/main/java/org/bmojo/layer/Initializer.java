package org.bmojo.layer;

import static org.bmojo.kernels.torch.Tensors.scalar;

import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Makes initial weights: the same seed and order of calls give the same bytes on every machine.
 * Drawn in float32 on the CPU, then converted.
 */
public final class Initializer {
  private final Generator generator;
  private final ScalarType type;

  /**
   * @param seed decides every weight
   * @param type of the weights
   */
  public Initializer(long seed, ScalarType type) {
    this.generator = torch.make_generator_cpu(seed);
    this.generator.retainReference();
    this.type = type;
  }

  /** The type of the weights made. */
  public ScalarType type() {
    return type;
  }

  /** Normal with mean 0. */
  public Tensor normal(double deviation, long... shape) {
    try (Scope scope = new Scope()) {
      Tensor t = blank(shape).normal_(0, deviation, new GeneratorOptional(generator));
      return scope.keep(t.to(type));
    }
  }

  /** Uniform in [low, high). */
  public Tensor uniform(double low, double high, long... shape) {
    try (Scope scope = new Scope()) {
      Tensor t = blank(shape).uniform_(low, high, new GeneratorOptional(generator));
      return scope.keep(t.to(type));
    }
  }

  /** One value everywhere. */
  public Tensor constant(double value, long... shape) {
    try (Scope scope = new Scope()) {
      return scope.keep(blank(shape).fill_(scalar(value)).to(type));
    }
  }

  /** 1 … n in every row, (rows, n). */
  public Tensor counting(long rows, long n) {
    try (Scope scope = new Scope()) {
      Tensor row = torch.arange(new Scalar(1L), new Scalar(n + 1)).to(ScalarType.Double);
      return scope.keep(row.unsqueeze(0).repeat(rows, 1).to(type));
    }
  }

  private static Tensor blank(long... shape) {
    return torch.empty(shape, new TensorOptions(ScalarType.Float), null);
  }
}
