package org.bmojo.layer;

import static org.bmojo.kernels.torch.Tensors.scalar;

import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Makes initial weights: the same seed and order of calls give the same bytes on every machine.
 * Drawn in float32 on the CPU, then converted.
 */
public final class Initializer {
  private final @Nullable Generator generator;
  private final ScalarType type;

  /**
   * For the scope that is open now.
   *
   * @param seed decides every weight
   * @param type of the weights
   */
  public Initializer(long seed, ScalarType type) {
    this(torch.make_generator_cpu(seed), type);
  }

  private Initializer(@Nullable Generator generator, ScalarType type) {
    this.generator = generator;
    this.type = type;
  }

  /** Makes weights that have shapes but no memory: to count them, however many they are. */
  public static Initializer shapesOnly() {
    return new Initializer(null, ScalarType.Float);
  }

  /** The type of the weights made. */
  public ScalarType type() {
    return type;
  }

  /** Normal with mean 0. */
  public Tensor normal(double deviation, long... shape) {
    try (Scope scope = new Scope()) {
      Tensor t = blank(shape);
      if (generator != null) t.normal_(0, deviation, new GeneratorOptional(generator));
      return scope.keep(t.to(type));
    }
  }

  /** Uniform in [low, high). */
  public Tensor uniform(double low, double high, long... shape) {
    try (Scope scope = new Scope()) {
      Tensor t = blank(shape);
      if (generator != null) t.uniform_(low, high, new GeneratorOptional(generator));
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
      return scope.keep(row.unsqueeze(0).repeat(rows, 1).to(device(), type));
    }
  }

  private Tensor blank(long... shape) {
    TensorOptions options = new TensorOptions(ScalarType.Float);
    return torch.empty(shape, options.device(new DeviceOptional(device())), null);
  }

  private Device device() {
    return new Device(generator == null ? "meta" : "cpu");
  }
}
