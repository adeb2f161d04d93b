package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.cpu.Lanes.store;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.op.CausalConv.Inputs;
import org.bmojo.kernels.torch.Floats;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Passes of the causal convolution over one sequence and one block of channels. A pass slides a
 * window of K rows along the tokens; the rows are read from the cache K − 1 times of K.
 *
 * @param taps (K, padded I), the kernel with channels innermost
 * @param bias (padded I), zero where there is none
 */
record ConvPass(
    int batch,
    int tokens,
    int channels,
    int width,
    float[] taps,
    float[] bias,
    Floats x,
    @Nullable Floats initial,
    @Nullable DocumentRows documents) {
  /** Channels of a task: whole cache lines, and a few of them from each row. */
  private static final int BLOCK = Math.max(128, LANES);

  static ConvPass of(Inputs in) {
    int channels = Math.toIntExact(in.x().size(2)), width = Math.toIntExact(in.weight().size(1));
    int padded = Lanes.padded(channels);
    Floats weight = Floats.of(in.weight());
    float[] taps = new float[width * padded];
    for (int i = 0; i < channels; i++) {
      for (int m = 0; m < width; m++) taps[m * padded + i] = weight.get((long) i * width + m);
    }
    float[] bias = new float[padded];
    Tensor given = in.bias();
    if (given != null) Floats.of(given).read(0, bias, 0, channels);
    Tensor initial = in.initial();
    return new ConvPass(
        Math.toIntExact(in.x().size(0)),
        Math.toIntExact(in.x().size(1)),
        channels,
        width,
        taps,
        bias,
        Floats.of(in.x()),
        initial == null ? null : Floats.of(initial),
        DocumentRows.of(in.begin()));
  }

  int tasks() {
    return batch * blocks();
  }

  private int blocks() {
    return (channels + BLOCK - 1) / BLOCK;
  }

  /** y = silu(bias + Σ_m tap_m · x_{t−K+1+m}). */
  void forward(int task, Floats y) {
    int sequence = task / blocks(), from = task % blocks() * BLOCK;
    int to = Math.min(from + BLOCK, channels);
    for (int t = 0; t < tokens; t++) {
      long row = ((long) sequence * tokens + t) * channels;
      for (int i = from; i < to; i += LANES) {
        FloatVector linear = linear(sequence, t, i);
        store(linear.mul(VectorMath.sigmoid(linear)), y, row + i, channels - i);
      }
    }
  }

  /**
   * Gradients of the inputs, of those before the first token, and the sums over the tokens.
   *
   * @param sums (B, 1 + K, I): of the bias, then of each tap
   */
  void backward(int task, Floats dy, Floats dx, Floats dInitial, Floats sums) {
    int sequence = task / blocks(), from = task % blocks() * BLOCK;
    int to = Math.min(from + BLOCK, channels);
    float[] g = new float[width * BLOCK]; // gradients of the newest K linear outputs, a ring
    float[] sum = new float[(width + 1) * BLOCK], part = new float[(width + 1) * BLOCK];
    // Token t's gradients reach back to input t−K+1, which therefore is complete after token t.
    for (int t = 0; t < tokens + width - 1; t++) {
      for (int i = from; i < to; i += LANES) {
        int slot = t % width * BLOCK + i - from;
        if (t < tokens) {
          slope(sequence, t, i, dy).intoArray(g, slot);
          addUp(sequence, t, i, load(g, slot), part, i - from);
        } else {
          all(0f).intoArray(g, slot);
        }
        FloatVector d = all(0f);
        // Input t−K+1 met tap m at token t−m, unless that is of a later document.
        for (int m = firstMet(sequence, t); m < width; m++) {
          int ring = Math.floorMod(t - m, width) * BLOCK + i - from;
          d = load(g, ring).fma(load(taps, m * Lanes.padded(channels) + i), d);
        }
        write(d, sequence, t - width + 1, i, dx, dInitial);
      }
      // Sums of 64 tokens first: two levels of summing round less than one.
      if (t % 64 == 63 || t == tokens + width - 2) drain(part, sum);
    }
    for (int k = 0; k <= width; k++) {
      long at = ((long) sequence * (width + 1) + k) * channels + from;
      sums.write(at, sum, k * BLOCK, to - from);
    }
  }

  /** dy · silu'(linear), where silu'(a) = σ(a)·(1 + a·(1 − σ(a))). */
  private FloatVector slope(int sequence, int t, int i, Floats dy) {
    FloatVector linear = linear(sequence, t, i);
    FloatVector sigmoid = VectorMath.sigmoid(linear);
    FloatVector slope = sigmoid.mul(linear.fma(all(1f).sub(sigmoid), all(1f)));
    return load(dy, ((long) sequence * tokens + t) * channels + i, channels - i).mul(slope);
  }

  private void addUp(int sequence, int t, int i, FloatVector g, float[] part, int at) {
    g.add(load(part, at)).intoArray(part, at);
    for (int m = firstTap(sequence, t); m < width; m++) {
      int k = (m + 1) * BLOCK + at;
      g.fma(input(sequence, t - width + 1 + m, i), load(part, k)).intoArray(part, k);
    }
  }

  private static void drain(float[] part, float[] sum) {
    for (int k = 0; k < sum.length; k++) sum[k] += part[k];
    Arrays.fill(part, 0);
  }

  private void write(FloatVector d, int sequence, int t, int i, Floats dx, Floats dInitial) {
    if (t >= 0) {
      store(d, dx, ((long) sequence * tokens + t) * channels + i, channels - i);
    } else {
      long row = (long) sequence * (width - 1) + width - 1 + t;
      store(d, dInitial, row * channels + i, channels - i);
    }
  }

  private FloatVector linear(int sequence, int t, int i) {
    FloatVector sum = load(bias, i);
    for (int m = firstTap(sequence, t); m < width; m++) {
      FloatVector tap = load(taps, m * Lanes.padded(channels) + i);
      sum = input(sequence, t - width + 1 + m, i).fma(tap, sum);
    }
    return sum;
  }

  /** The first tap that does not reach back to another document. */
  private int firstTap(int sequence, int t) {
    if (documents == null) return 0;
    return Math.max(0, documents.begin(sequence, t) - (t - width + 1));
  }

  /** The smallest m such that token t−m is of the same document as input t−K+1; K−1 at most. */
  private int firstMet(int sequence, int t) {
    if (documents == null) return 0;
    int input = t - width + 1, last = Math.min(t, tokens - 1);
    for (int m = t - last; m < width - 1; m++) {
      if (t - m < 0 || documents.begin(sequence, t - m) <= input) return m;
    }
    return width - 1;
  }

  /** Input t; before the first token, the carried one. */
  private FloatVector input(int sequence, int t, int i) {
    if (t >= 0) return load(x, ((long) sequence * tokens + t) * channels + i, channels - i);
    if (initial == null) return all(0f);
    long row = (long) sequence * (width - 1) + width - 1 + t;
    return load(initial, row * channels + i, channels - i);
  }
}
