package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.nio.DoubleBuffer;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Applies a {@link Threshold}: scores that do not pass become −∞. */
final class Eligibility {
  private final @Nullable Threshold threshold;

  Eligibility(@Nullable Threshold threshold) {
    this.threshold = threshold;
  }

  /** log τ of every sequence before the first token, (B) float64; null where nothing runs. */
  @Nullable Tensor start(Tensor like, long batch) {
    if (threshold == null || threshold.quantile() == null) return null;
    return zeros(like, ScalarType.Double, batch);
  }

  /**
   * The scores (B, T) with −∞ for tokens that may not be kept.
   *
   * @param packing documents that each begin with a threshold of their own; null for one a row
   * @param logTau as {@link #start} made it, advanced; null at the beginning of a sequence that
   *     ends here
   */
  Tensor apply(Tensor scores, @Nullable Packing packing, @Nullable Owned logTau) {
    if (threshold == null) return scores;
    try (Scope scope = new Scope()) {
      Double absolute = threshold.absolute();
      if (absolute != null) {
        Tensor low = scores.le(scalar(absolute));
        return scope.keep(scores.masked_fill(low, scalar(Double.NEGATIVE_INFINITY)));
      }
      Double quantile = threshold.quantile();
      if (quantile == null) throw new IllegalStateException("a threshold has one of the two");
      return scope.keep(follow(scores, quantile, packing, logTau));
    }
  }

  private Tensor follow(
      Tensor scores, double quantile, @Nullable Packing packing, @Nullable Owned logTau) {
    int batch = (int) scores.size(0), tokens = (int) scores.size(1);
    Device host = new Device("cpu");
    // A copy of its own: written below.
    Tensor e = scores.to(host, ScalarType.Double).clone().contiguous();
    Tensor tau =
        logTau == null ? zeros(e, batch) : logTau.get().to(host, ScalarType.Double).clone();
    DoubleBuffer eligible = buffer(e, (long) batch * tokens);
    DoubleBuffer log = buffer(tau, batch);
    Tensor begins = packing == null ? null : packing.firsts().to(host, ScalarType.Double);
    DoubleBuffer first = begins == null ? null : buffer(begins, (long) batch * tokens);
    for (int b = 0; b < batch; b++) {
      double t = log.get(b);
      for (int i = b * tokens; i < (b + 1) * tokens; i++) {
        if (first != null && first.get(i) > 0) t = 0;
        boolean low = eligible.get(i) <= Math.exp(t);
        if (low) eligible.put(i, Double.NEGATIVE_INFINITY);
        t += Threshold.RATE * (quantile - (low ? 1 : 0));
      }
      log.put(b, t);
    }
    if (logTau != null) logTau.set(tau.to(scores.device(), ScalarType.Double));
    return e.to(scores.device(), scores.scalar_type());
  }

  private static DoubleBuffer buffer(Tensor t, long count) {
    return new DoublePointer(t.data_ptr()).capacity(count).asBuffer();
  }
}
