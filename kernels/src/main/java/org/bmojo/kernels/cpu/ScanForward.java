package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.cpu.ScanLayout.BLOCK;
import static org.bmojo.kernels.cpu.ScanLayout.PIECE;

import java.util.List;
import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.torch.Floats;
import org.jspecify.annotations.Nullable;

/**
 * Forward over one sequence and one block of channels: the task's working memory and its stages.
 * Arrays of a piece are [token][channel].
 */
final class ScanForward {
  private final ScanLayout layout;
  private final ScanInputs in;
  private final Floats y, last;
  private final @Nullable Floats checkpoints;
  private final int task, width, states, rates, channel;

  private final float[] h; // [channel vector][state][lane]
  private final float[] b, c; // [token][state]
  private final float[] u = new float[PIECE * BLOCK];
  private final float[] z = new float[PIECE * BLOCK];
  private final float[] delta = new float[PIECE * BLOCK]; // raw, then Δ·log₂e
  private final float[] input = new float[PIECE * BLOCK]; // Δ·u
  private final float[] read = new float[PIECE * BLOCK]; // Σ_n h·c, then y

  ScanForward(
      int task,
      ScanLayout layout,
      ScanInputs in,
      Floats y,
      Floats last,
      @Nullable Floats checkpoints) {
    this.task = task;
    this.layout = layout;
    this.in = in;
    this.y = y;
    this.last = last;
    this.checkpoints = checkpoints;
    width = layout.width(task);
    states = layout.states();
    rates = layout.block(task) * layout.stateSize();
    channel = layout.block(task) * BLOCK;
    h = new float[layout.stateSize()];
    b = new float[PIECE * states];
    c = new float[PIECE * states];
  }

  void run() {
    float[] rows = new float[layout.stateSize()];
    if (in.initial() != null) {
      in.initial().read(layout.stateAt(task), rows, 0, width * states);
      ScanInputs.toLanes(rows, width, states, h, 0);
    }
    List<Stage> stages = List.of(this::enter, this::steps, this::recur, this::gate, this::leave);
    for (int from = 0; from < layout.tokens(); from += PIECE) {
      int count = layout.length(from);
      for (Stage stage : stages) stage.run(from, count);
    }
    ScanInputs.fromLanes(h, width, states, rows);
    last.write(layout.stateAt(task), rows, 0, width * states);
  }

  private void enter(int from, int count) {
    if (checkpoints != null) {
      checkpoints.write(layout.checkpointAt(task, from / PIECE), h, 0, h.length);
    }
    layout.read(in.u(), task, from, count, u);
    layout.read(in.delta(), task, from, count, delta);
    layout.read(in.z(), task, from, count, z);
    in.b().read(layout.mapAt(task, from), b, 0, count * states);
    in.c().read(layout.mapAt(task, from), c, 0, count * states);
  }

  /** Δ = softplus(delta + bias), times log₂e for the exponentials, and Δ·u. */
  private void steps(int from, int count) {
    for (int t = 0; t < count; t++) {
      for (int i = 0; i < width; i += LANES) {
        int k = t * BLOCK + i;
        FloatVector step =
            VectorMath.softplus(load(delta, k).add(load(in.deltaBias(), channel + i)));
        step.mul(VectorMath.LOG2_E).intoArray(delta, k);
        step.mul(load(u, k)).intoArray(input, k);
      }
    }
  }

  /** The recurrence: advances h over the piece and leaves Σ_n h·c in {@code read}. */
  private void recur(int from, int count) {
    for (int t = 0; t < count; t++) {
      for (int i = 0; i < width; i += LANES) advance(t, i);
    }
  }

  /** One token of the vector at channel i. */
  private void advance(int t, int i) {
    float[] a = in.a(), h = this.h, b = this.b, c = this.c;
    FloatVector step = load(delta, t * BLOCK + i), x = load(input, t * BLOCK + i);
    FloatVector sum = all(0f);
    int base = i * states, row = t * states;
    for (int n = 0; n < states; n++) {
      FloatVector decay = VectorMath.exp2(step.mul(load(a, rates + base + n * LANES)));
      FloatVector state = decay.fma(load(h, base + n * LANES), x.mul(b[row + n]));
      state.intoArray(h, base + n * LANES);
      sum = state.fma(all(c[row + n]), sum);
    }
    sum.intoArray(read, t * BLOCK + i);
  }

  /** y = (read + d·u)·silu(z). */
  private void gate(int from, int count) {
    for (int t = 0; t < count; t++) {
      for (int i = 0; i < width; i += LANES) {
        int k = t * BLOCK + i;
        FloatVector gate = load(z, k);
        FloatVector sum = load(u, k).fma(load(in.d(), channel + i), load(read, k));
        sum.mul(gate.mul(VectorMath.sigmoid(gate))).intoArray(read, k);
      }
    }
  }

  private void leave(int from, int count) {
    layout.write(read, task, from, count, y);
  }
}
