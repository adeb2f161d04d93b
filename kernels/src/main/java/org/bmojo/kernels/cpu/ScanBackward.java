package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.cpu.ScanLayout.BLOCK;
import static org.bmojo.kernels.cpu.ScanLayout.PIECE;

import java.util.Arrays;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.torch.Floats;
import org.jspecify.annotations.Nullable;

/**
 * Backward over one sequence and one block of channels, piece by piece from the last: the task's
 * working memory and its stages. Arrays of a piece are [token][channel] or [token][state][lane].
 */
final class ScanBackward {
  private final ScanLayout layout;
  private final ScanInputs in;
  private final Floats checkpoints, dy;
  private final ScanGradients out;
  private final int task, width, states, rates, channel;
  private final float[] start, da, dh; // [channel vector][state][lane]; dh: of the state after t
  private final float[] rows; // [channel][state]
  private final float[] b, c; // [token][state]
  private final float[]
      h; // of one channel vector: the state before the piece, then after each token
  private final float[] decay, db, dc; // of one channel vector; db, dc with lanes not yet summed
  private final float[] sums; // of lanes
  private final float[] dBias = new float[BLOCK], dSkip = new float[BLOCK];
  private final float[] pieceBias = new float[BLOCK], pieceSkip = new float[BLOCK];
  private final float[] u = new float[PIECE * BLOCK];
  private final float[] raw = new float[PIECE * BLOCK]; // before bias and softplus, then with bias
  private final float[] z = new float[PIECE * BLOCK]; // then dz
  private final float[] dy2 = new float[PIECE * BLOCK];
  private final float[] delta = new float[PIECE * BLOCK]; // Δ
  private final float[] input = new float[PIECE * BLOCK]; // Δ·u
  private final float[] read = new float[PIECE * BLOCK]; // Σ_n h·c
  private final float[] dRead = new float[PIECE * BLOCK]; // dy·silu(z)
  private final float[] dDelta = new float[PIECE * BLOCK]; // through the decays; then of raw
  private final float[] dInput = new float[PIECE * BLOCK]; // of Δ·u; then of u

  ScanBackward(
      int task,
      ScanLayout layout,
      ScanInputs in,
      Floats checkpoints,
      Floats dy,
      @Nullable Floats dLast,
      ScanGradients out) {
    this.task = task;
    this.layout = layout;
    this.in = in;
    this.checkpoints = checkpoints;
    this.dy = dy;
    this.out = out;
    width = layout.width(task);
    states = layout.states();
    rates = layout.block(task) * layout.stateSize();
    channel = layout.block(task) * BLOCK;
    start = new float[layout.stateSize()];
    da = new float[layout.stateSize()];
    dh = new float[layout.stateSize()];
    rows = new float[layout.stateSize()];
    b = new float[PIECE * states];
    c = new float[PIECE * states];
    h = new float[(PIECE + 1) * states * LANES];
    decay = new float[PIECE * states * LANES];
    db = new float[PIECE * states * LANES];
    dc = new float[PIECE * states * LANES];
    sums = new float[PIECE * states];
    if (dLast != null) {
      dLast.read(layout.stateAt(task), rows, 0, width * states);
      ScanInputs.toLanes(rows, width, states, dh, 0);
    }
  }

  void run() {
    List<Stage> stages =
        List.of(
            this::enter,
            this::steps,
            this::gate,
            this::states,
            this::leaveGate,
            this::leaveSteps,
            this::leaveInput,
            this::leave);
    for (int piece = layout.pieces() - 1; piece >= 0; piece--) {
      int from = piece * PIECE, count = layout.length(from);
      for (Stage stage : stages) stage.run(from, count);
    }
    long row = (long) layout.sequence(task) * layout.channels() + channel;
    out.deltaBias().write(row, dBias, 0, width);
    out.d().write(row, dSkip, 0, width);
    ScanInputs.fromLanes(da, width, states, rows);
    out.a().write(layout.stateAt(task), rows, 0, width * states);
    ScanInputs.fromLanes(dh, width, states, rows);
    out.initial().write(layout.stateAt(task), rows, 0, width * states);
  }

  private void enter(int from, int count) {
    checkpoints.read(layout.checkpointAt(task, from / PIECE), start, 0, start.length);
    layout.read(in.u(), task, from, count, u);
    layout.read(in.delta(), task, from, count, raw);
    layout.read(in.z(), task, from, count, z);
    layout.read(dy, task, from, count, dy2);
    in.b().read(layout.mapAt(task, from), b, 0, count * states);
    in.c().read(layout.mapAt(task, from), c, 0, count * states);
  }

  private void steps(int from, int count) {
    for (int t = 0; t < count; t++) {
      for (int i = 0; i < width; i += LANES) {
        int k = t * BLOCK + i;
        FloatVector biased = load(raw, k).add(load(in.deltaBias(), channel + i));
        FloatVector step = VectorMath.softplus(biased);
        biased.intoArray(raw, k);
        step.intoArray(delta, k);
        step.mul(load(u, k)).intoArray(input, k);
      }
    }
  }

  private void gate(int from, int count) {
    for (int t = 0; t < count; t++) {
      for (int i = 0; i < width; i += LANES) {
        int k = t * BLOCK + i;
        FloatVector gate = load(z, k);
        load(dy2, k).mul(gate.mul(VectorMath.sigmoid(gate))).intoArray(dRead, k);
      }
    }
  }

  private void states(int from, int count) {
    Arrays.fill(db, 0);
    Arrays.fill(dc, 0);
    for (int i = 0; i < width; i += LANES) {
      System.arraycopy(start, i * states, h, 0, states * LANES);
      for (int t = 0; t < count; t++) recompute(t, i);
      for (int t = count - 1; t >= 0; t--) reverse(t, i);
    }
  }

  /** Forward once more for one token of the vector at channel i; states and decays are kept. */
  private void recompute(int t, int i) {
    float[] a = in.a(), h = this.h, decay = this.decay, b = this.b, c = this.c;
    FloatVector step = load(delta, t * BLOCK + i).mul(VectorMath.LOG2_E);
    FloatVector x = load(input, t * BLOCK + i);
    FloatVector sum = all(0f);
    int before = t * states * LANES, after = before + states * LANES, row = t * states;
    for (int n = 0; n < states; n++) {
      FloatVector e = VectorMath.exp2(step.mul(load(a, rates + i * states + n * LANES)));
      e.intoArray(decay, before + n * LANES);
      FloatVector state = e.fma(load(h, before + n * LANES), x.mul(b[row + n]));
      state.intoArray(h, after + n * LANES);
      sum = state.fma(all(c[row + n]), sum);
    }
    sum.intoArray(read, t * BLOCK + i);
  }

  /** One token back: from the gradient of the state after it to that of the state before. */
  private void reverse(int t, int i) {
    float[] a = in.a(), h = this.h, decay = this.decay, b = this.b, c = this.c;
    float[] da = this.da, dh = this.dh, db = this.db, dc = this.dc;
    FloatVector step = load(delta, t * BLOCK + i), x = load(input, t * BLOCK + i);
    FloatVector g = load(dRead, t * BLOCK + i);
    FloatVector dStep = all(0f), dx = all(0f);
    int before = t * states * LANES, after = before + states * LANES, row = t * states;
    for (int n = 0; n < states; n++) {
      int s = i * states + n * LANES, k = before + n * LANES;
      FloatVector dState = g.fma(all(c[row + n]), load(dh, s));
      g.fma(load(h, after + n * LANES), load(dc, k)).intoArray(dc, k);
      x.fma(dState, load(db, k)).intoArray(db, k);
      dx = dState.fma(all(b[row + n]), dx);
      FloatVector dBefore = dState.mul(load(decay, k));
      dBefore.intoArray(dh, s);
      FloatVector dExponent = dBefore.mul(load(h, k)); // of Δ·a
      dStep = dExponent.fma(load(a, rates + s), dStep);
      dExponent.fma(step, load(da, s)).intoArray(da, s);
    }
    dStep.intoArray(dDelta, t * BLOCK + i);
    dx.intoArray(dInput, t * BLOCK + i);
  }

  /** dz = dy·(read + d·u)·silu'(z), where silu'(z) = σ(z)·(1 + z·(1 − σ(z))). */
  private void leaveGate(int from, int count) {
    for (int t = 0; t < count; t++) {
      for (int i = 0; i < width; i += LANES) {
        int k = t * BLOCK + i;
        FloatVector gate = load(z, k);
        FloatVector sigmoid = VectorMath.sigmoid(gate);
        FloatVector slope = sigmoid.mul(gate.fma(all(1f).sub(sigmoid), all(1f)));
        FloatVector sum = load(u, k).fma(load(in.d(), channel + i), load(read, k));
        load(dy2, k).mul(sum).mul(slope).intoArray(z, k);
      }
    }
  }

  /** From dΔ, which is dInput·u and what came through the decays, to that of raw; softplus' = σ. */
  private void leaveSteps(int from, int count) {
    for (int t = 0; t < count; t++) {
      for (int i = 0; i < width; i += LANES) {
        int k = t * BLOCK + i;
        FloatVector dStep = load(dInput, k).fma(load(u, k), load(dDelta, k));
        FloatVector dRaw = dStep.mul(VectorMath.sigmoid(load(raw, k)));
        dRaw.intoArray(dDelta, k);
        load(pieceBias, i).add(dRaw).intoArray(pieceBias, i);
      }
    }
    addUp(pieceBias, dBias);
  }

  private void leaveInput(int from, int count) {
    for (int t = 0; t < count; t++) {
      for (int i = 0; i < width; i += LANES) {
        int k = t * BLOCK + i;
        FloatVector g = load(dRead, k), skip = load(in.d(), channel + i);
        g.fma(load(u, k), load(pieceSkip, i)).intoArray(pieceSkip, i);
        load(dInput, k).fma(load(delta, k), g.mul(skip)).intoArray(dInput, k);
      }
    }
    addUp(pieceSkip, dSkip);
  }

  /** Adds a piece's sums to the sequence's: two levels of summing round less than one. */
  private static void addUp(float[] piece, float[] total) {
    for (int i = 0; i < BLOCK; i++) total[i] += piece[i];
    Arrays.fill(piece, 0);
  }

  private void leave(int from, int count) {
    layout.write(z, task, from, count, out.z());
    layout.write(dDelta, task, from, count, out.delta());
    layout.write(dInput, task, from, count, out.u());
    long row = (long) layout.block(task) * layout.batch() * layout.tokens() * states;
    LaneSums.of(db, count * states, sums);
    out.b().write(row + layout.mapAt(task, from), sums, 0, count * states);
    LaneSums.of(dc, count * states, sums);
    out.c().write(row + layout.mapAt(task, from), sums, 0, count * states);
  }
}
