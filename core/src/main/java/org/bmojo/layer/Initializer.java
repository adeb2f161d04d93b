package org.bmojo.layer;

import static org.bmojo.kernels.torch.Tensors.scalar;

import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.LongOptional;
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
  private final @Nullable Generator generator; // null: shapes only
  private final ScalarType type;
  private final double outputs;

  /**
   * For the scope that is open now.
   *
   * @param seed decides every weight
   * @param type of the weights
   */
  public Initializer(long seed, ScalarType type) {
    Generator fresh = torch.make_generator_cpu(seed);
    fresh.retainReference();
    this(fresh, type, 1);
  }

  private Initializer(@Nullable Generator generator, ScalarType type, double outputs) {
    this.generator = generator;
    this.type = type;
    this.outputs = outputs;
  }

  /**
   * This for the layers of a model: what they add to the residual stream is drawn smaller by
   * √branches, so that the stream's size does not depend on how many there are (Radford et al.
   * 2019, GPT-2, section 2.3).
   *
   * @param branches mixers and perceptrons of the whole model
   */
  public Initializer forBranches(long branches) {
    return new Initializer(generator, type, 1 / Math.sqrt(branches));
  }

  /** A factor for the weights of a residual branch's last map. */
  double outputs() {
    return outputs;
  }

  /**
   * Weights without numbers (on libtorch's device "meta"), which take no memory: for a model whose
   * weights will come from a file.
   */
  public static Initializer shapes(ScalarType type) {
    return new Initializer(null, type, 1);
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
      Tensor t = blank(shape);
      if (generator != null) t.fill_(scalar(value));
      return scope.keep(t.to(type));
    }
  }

  /** 1 … n in every row, (rows, n). */
  public Tensor counting(long rows, long n) {
    try (Scope scope = new Scope()) {
      if (generator == null) return scope.keep(blank(rows, n).to(type));
      Tensor row = torch.arange(new Scalar(1L), new Scalar(n + 1)).to(ScalarType.Double);
      return scope.keep(row.unsqueeze(0).repeat(rows, 1).to(type));
    }
  }

  /** Ones where row i repeats column i/(rows/columns), else zeros: (rows, columns). */
  public Tensor repetition(long rows, long columns) {
    try (Scope scope = new Scope()) {
      Tensor t = blank(rows, columns);
      if (generator != null) {
        Tensor one = torch.eye(columns, new TensorOptions(ScalarType.Float));
        t = one.repeat_interleave(rows / columns, new LongOptional(0), new LongOptional());
      }
      return scope.keep(t.to(type));
    }
  }

  private Tensor blank(long... shape) {
    TensorOptions options = new TensorOptions(ScalarType.Float);
    if (generator == null) {
      options = options.device(new DeviceOptional(new Device("meta")));
    }
    return torch.empty(shape, options, null);
  }
}
