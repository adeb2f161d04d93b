package org.bmojo.layer;

import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * How a model's rotary frequencies were stretched to positions beyond those it was first trained
 * on. The four kinds that published checkpoints use.
 */
public sealed interface RopeScaling {
  /**
   * The frequencies, one for each of the D/2 planes.
   *
   * @param planes the unstretched ones
   * @param length tokens in the sequence so far, those of the present call included
   */
  double[] stretch(Planes planes, long length);

  /** What cosines and sines are multiplied by. */
  default double magnitude() {
    return 1;
  }

  /**
   * The planes of a head, and how numbers are rounded on the way to their frequencies.
   *
   * @param dim D
   * @param base of the frequencies base^(−2m/D)
   * @param single whether every step is rounded to float32
   */
  record Planes(int dim, double base, boolean single) {
    /** base^(−2m/D) for plane m. */
    public double[] frequencies() {
      double[] f = new double[dim / 2];
      if (single) {
        // In libtorch's own float32 power, whose last bit decides that of an angle far out.
        try (Scope scope = new Scope()) {
          TensorOptions narrow = new TensorOptions(ScalarType.Float);
          Tensor even =
              torch.arange(new Scalar(0L), new Scalar((long) dim), new Scalar(2L), narrow);
          Tensor power = torch.pow(new Scalar(base), even.div(new Scalar((long) dim)));
          Floats values = Floats.of(power.reciprocal());
          for (int m = 0; m < f.length; m++) f[m] = values.get(m);
        }
      } else {
        for (int m = 0; m < f.length; m++) f[m] = Math.pow(base, -2.0 * m / dim);
      }
      return f;
    }

    Planes withBase(double other) {
      return new Planes(dim, round(other), single);
    }

    double round(double x) {
      return single ? (float) x : x;
    }
  }

  private static void refuse(boolean bad, String found) {
    if (!bad) return;
    throw new BadInput(
        "rope scaling " + found,
        "expected finite factors of at least 1 and positive lengths",
        "correct the configuration");
  }

  private static boolean finite(double factor) {
    return factor >= 1 && factor < Double.POSITIVE_INFINITY;
  }

  /**
   * All positions divided by a factor (Chen et al. 2023).
   *
   * @param factor 1 or more
   */
  record Linear(double factor) implements RopeScaling {
    /** Refuses factors that stretch nothing. */
    public Linear {
      refuse(!finite(factor), "linear with factor " + factor);
    }

    @Override
    public double[] stretch(Planes planes, long length) {
      double[] f = planes.frequencies();
      for (int m = 0; m < f.length; m++) f[m] = planes.round(f[m] / factor);
      return f;
    }
  }

  /**
   * A base that grows with the sequence, once that is longer than the model was trained for. A call
   * turns all of its tokens by the base for its own length, as the published implementation does:
   * beyond the original length, results depend on how a sequence is split into calls.
   *
   * @param factor 1 or more
   * @param original length trained for
   */
  record Dynamic(double factor, long original) implements RopeScaling {
    /** Refuses numbers that stretch nothing. */
    public Dynamic {
      refuse(
          !finite(factor) || original < 1,
          "dynamic with factor " + factor + " and length " + original);
    }

    @Override
    public double[] stretch(Planes planes, long length) {
      int dim = planes.dim();
      if (length <= original || dim <= 2) return planes.frequencies();
      double growth = factor * length / original - (factor - 1);
      double base = planes.base() * Math.pow(growth, dim / (dim - 2.0));
      return planes.withBase(base).frequencies();
    }
  }

  /**
   * Llama 3's: long waves are stretched, short ones are not, those between a little.
   *
   * @param factor by which long waves are stretched
   * @param low waves longer than original/low are long
   * @param high waves shorter than original/high are short
   * @param original length trained for
   */
  record Llama3(double factor, double low, double high, long original) implements RopeScaling {
    /** Refuses numbers that contradict each other. */
    public Llama3 {
      boolean waves = low > 0 && high > low && high < Double.POSITIVE_INFINITY;
      refuse(
          !finite(factor) || !waves || original < 1,
          "llama3 with factor %s, low %s, high %s, length %d"
              .formatted(factor, low, high, original));
    }

    @Override
    public double[] stretch(Planes p, long length) {
      double[] f = p.frequencies();
      for (int m = 0; m < f.length; m++) {
        double wave = p.round(2 * Math.PI / f[m]);
        if (wave > original / low) {
          f[m] = p.round(f[m] / factor);
        } else if (wave >= original / high) {
          double keep = p.round(p.round(p.round(original / wave) - low) / (high - low));
          double stretched = p.round(p.round(p.round(1 - keep) * f[m]) / factor);
          f[m] = p.round(stretched + p.round(keep * f[m]));
        }
      }
      return f;
    }
  }

  /**
   * YaRN (Peng et al. 2023): planes that turn often over the trained length are kept, those that
   * turn seldom are stretched, with a ramp between; and logits grow a little.
   *
   * @param factor by which slow planes are stretched
   * @param original length trained for
   * @param fast turns over it that make a plane fast, usually 32
   * @param slow turns that make it slow, usually 1
   * @param truncate whether the ramp begins and ends at whole planes
   * @param attentionFactor what cosines and sines are multiplied by; null for 0.1·ln(factor) + 1
   */
  record Yarn(
      double factor,
      long original,
      double fast,
      double slow,
      boolean truncate,
      @Nullable Double attentionFactor)
      implements RopeScaling {
    /** Refuses numbers that contradict each other. */
    public Yarn {
      boolean turns = slow > 0 && fast >= slow && fast < Double.POSITIVE_INFINITY;
      refuse(
          !finite(factor) || !turns || original < 1,
          "yarn with factor %s, fast %s, slow %s, length %d"
              .formatted(factor, fast, slow, original));
    }

    @Override
    public double[] stretch(Planes p, long length) {
      int dim = p.dim();
      double low = plane(fast, dim, p.base()), high = plane(slow, dim, p.base());
      if (truncate) {
        low = Math.floor(low);
        high = Math.ceil(high);
      }
      low = Math.max(low, 0);
      high = Math.min(high, dim - 1);
      if (low == high) high += 0.001;
      double[] f = p.frequencies();
      for (int m = 0; m < f.length; m++) {
        double ramp = Math.clamp(p.round(p.round(m - low) / (high - low)), 0, 1);
        double stretched = p.round(f[m] / factor);
        f[m] = p.round(p.round(stretched * ramp) + p.round(f[m] * p.round(1 - ramp)));
      }
      return f;
    }

    /** The plane, with a fraction, that turns so many times over the trained length. */
    private double plane(double turns, int dim, double base) {
      return dim * Math.log(original / (turns * 2 * Math.PI)) / (2 * Math.log(base));
    }

    @Override
    public double magnitude() {
      return attentionFactor != null ? attentionFactor : 0.1 * Math.log(factor) + 1;
    }
  }
}
