package org.bmojo.kernels.contract;

import java.util.SplittableRandom;
import java.util.function.DoubleSupplier;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Random tensors from a seed: the same numbers on every machine, rounded to the type asked for. */
public final class Draw {
  private final SplittableRandom random;
  private final ScalarType type;
  private final Device device;

  public Draw(long seed, ScalarType type, Device device) {
    this.random = new SplittableRandom(seed);
    this.type = type;
    this.device = device;
  }

  /** Float64 on the CPU. */
  public Draw(long seed) {
    this(seed, ScalarType.Double, new Device("cpu"));
  }

  /** Standard normal. */
  public Tensor normal(long... shape) {
    return fill(random::nextGaussian, type, shape);
  }

  /** Uniform in [low, high). */
  public Tensor uniform(double low, double high, long... shape) {
    return fill(() -> random.nextDouble(low, high), type, shape);
  }

  /** Standard normal in the type that states and statistics have beside activations of our type. */
  public Tensor normalState(long... shape) {
    return fill(random::nextGaussian, stateType(), shape);
  }

  /** Uniform in the same type. */
  public Tensor uniformState(double low, double high, long... shape) {
    return fill(() -> random.nextDouble(low, high), stateType(), shape);
  }

  private ScalarType stateType() {
    return type == ScalarType.Double ? ScalarType.Double : ScalarType.Float;
  }

  private Tensor fill(DoubleSupplier numbers, ScalarType to, long... shape) {
    int count = 1;
    for (long length : shape) count = Math.multiplyExact(count, Math.toIntExact(length));
    double[] values = new double[count];
    for (int i = 0; i < count; i++) values[i] = numbers.getAsDouble();
    return Tensor.create(values, shape).to(device, to);
  }
}
