package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.cpu.Lanes.store;
import static org.bmojo.kernels.cpu.ScanLayout.BLOCK;
import static org.bmojo.kernels.cpu.ScanLayout.PIECE;

import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.torch.Floats;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Forward over one sequence and one block of channels. */
final class ScanForward {
  private final ScanLayout layout;
  private final ScanInputs in;
  private final Floats y, last;
  private final @Nullable Floats checkpoints;

  ScanForward(
      ScanLayout layout, ScanInputs in, Tensor y, Tensor last, @Nullable Tensor checkpoints) {
    this.layout = layout;
    this.in = in;
    this.y = Floats.of(y);
    this.last = Floats.of(last);
    this.checkpoints = checkpoints == null ? null : Floats.of(checkpoints);
  }

  void run(int task) {
    int width = layout.width(task), channel = layout.channel(task), states = layout.states();
    float[] bias = ScanInputs.channels(in.deltaBias(), channel, width);
    float[] skip = ScanInputs.channels(in.d(), channel, width);
    float[] a = new float[layout.stateSize()]; // [vector][state][lane]
    ScanInputs.toLanes(in.a(), (long) channel * states, width, states, a);
    float[] h = new float[layout.stateSize()];
    Floats initial = in.initial();
    if (initial != null) ScanInputs.toLanes(initial, layout.stateAt(task), width, states, h);

    float[] b = new float[PIECE * states], c = new float[PIECE * states];
    float[] delta = new float[PIECE * BLOCK], input = new float[PIECE * BLOCK];
    float[] read = new float[PIECE * BLOCK];
    for (int from = 0; from < layout.tokens(); from += PIECE) {
      int count = layout.length(from);
      if (checkpoints != null) {
        checkpoints.write(layout.checkpointAt(task, from / PIECE), h, 0, h.length);
      }
      in.b().read(layout.mapAt(task, from), b, 0, count * states);
      in.c().read(layout.mapAt(task, from), c, 0, count * states);
      steps(task, from, count, bias, delta, input);
      recur(count, width, states, delta, input, a, b, c, h, read);
      gate(task, from, count, skip, read);
    }
    ScanInputs.fromLanes(h, last, layout.stateAt(task), width, states);
  }

  /** Δ·log₂e, with Δ = softplus(delta + bias), and Δ·u of a piece, each [token][channel]. */
  private void steps(int task, int from, int count, float[] bias, float[] delta, float[] input) {
    int width = layout.width(task);
    for (int t = 0; t < count; t++) {
      long at = layout.at(task, from + t);
      for (int i = 0; i < width; i += LANES) {
        FloatVector raw = load(in.delta(), at + i, width - i).add(load(bias, i));
        FloatVector step = VectorMath.softplus(raw);
        step.mul(VectorMath.LOG2_E).intoArray(delta, t * BLOCK + i);
        step.mul(load(in.u(), at + i, width - i)).intoArray(input, t * BLOCK + i);
      }
    }
  }

  /** The recurrence: advances h over a piece and leaves Σ_n h·c in {@code read}. */
  private static void recur(
      int count,
      int width,
      int states,
      float[] delta,
      float[] input,
      float[] a,
      float[] b,
      float[] c,
      float[] h,
      float[] read) {
    for (int t = 0; t < count; t++) {
      for (int i = 0; i < width; i += LANES) {
        FloatVector sum =
            advance(
                load(delta, t * BLOCK + i), load(input, t * BLOCK + i), a, b, c, h, i, t, states);
        sum.intoArray(read, t * BLOCK + i);
      }
    }
  }

  /** One token of one vector of channels; returns Σ_n h·c. */
  private static FloatVector advance(
      FloatVector delta,
      FloatVector input,
      float[] a,
      float[] b,
      float[] c,
      float[] h,
      int channel,
      int token,
      int states) {
    FloatVector sum = FloatVector.zero(Lanes.SPECIES);
    int base = channel * states, row = token * states;
    for (int n = 0; n < states; n++) {
      FloatVector decay = VectorMath.exp2(delta.mul(load(a, base + n * LANES)));
      FloatVector state = decay.fma(load(h, base + n * LANES), input.mul(b[row + n]));
      state.intoArray(h, base + n * LANES);
      sum = state.fma(all(c[row + n]), sum);
    }
    return sum;
  }

  /** y = (read + d·u)·silu(z). */
  private void gate(int task, int from, int count, float[] skip, float[] read) {
    int width = layout.width(task);
    for (int t = 0; t < count; t++) {
      long at = layout.at(task, from + t);
      for (int i = 0; i < width; i += LANES) {
        FloatVector u = load(in.u(), at + i, width - i), z = load(in.z(), at + i, width - i);
        FloatVector sum = u.fma(load(skip, i), load(read, t * BLOCK + i));
        store(sum.mul(z.mul(VectorMath.sigmoid(z))), y, at + i, width - i);
      }
    }
  }
}
