package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.all;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.cpu.Lanes.store;
import static org.bmojo.kernels.cpu.ScanLayout.BLOCK;
import static org.bmojo.kernels.cpu.ScanLayout.PIECE;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.torch.Floats;
import org.jspecify.annotations.Nullable;

/** Backward over one sequence and one block of channels, piece by piece from the last. */
final class ScanBackward {
  private final ScanLayout layout;
  private final ScanInputs in;
  private final Floats checkpoints, dy;
  private final @Nullable Floats dLast;
  private final ScanGradients out;

  ScanBackward(
      ScanLayout layout,
      ScanInputs in,
      Floats checkpoints,
      Floats dy,
      @Nullable Floats dLast,
      ScanGradients out) {
    this.layout = layout;
    this.in = in;
    this.checkpoints = checkpoints;
    this.dy = dy;
    this.dLast = dLast;
    this.out = out;
  }

  void run(int task) {
    new Task(task).run();
  }

  /**
   * The working memory of a task. Vectors of a piece are [token][channel] or [token][state][lane].
   */
  private final class Task {
    final int task, width, states = layout.states();
    final float[] bias, skip;
    final float[] a = new float[layout.stateSize()]; // [vector][state][lane]
    final float[] start = new float[layout.stateSize()]; // the piece's first states
    final float[] da = new float[layout.stateSize()];
    final float[] dh = new float[layout.stateSize()]; // gradient of the state after the token
    final float[] dBias = new float[BLOCK], dSkip = new float[BLOCK];
    final float[] pieceBias = new float[BLOCK], pieceSkip = new float[BLOCK]; // of this piece alone
    final float[] b = new float[PIECE * states], c = new float[PIECE * states];
    final float[] delta = new float[PIECE * BLOCK]; // Δ
    final float[] input = new float[PIECE * BLOCK]; // Δ·u
    final float[] read = new float[PIECE * BLOCK]; // Σ_n h·c
    final float[] dRead = new float[PIECE * BLOCK]; // dy·silu(z)
    final float[] dDelta = new float[PIECE * BLOCK]; // through the decays alone
    final float[] dInput = new float[PIECE * BLOCK];
    final float[] h =
        new float[(PIECE + 1) * states * LANES]; // one vector's states, first one before
    final float[] decay = new float[PIECE * states * LANES];
    final float[] db = new float[PIECE * states * LANES]; // lanes not yet summed
    final float[] dc = new float[PIECE * states * LANES];
    final float[] lanes = new float[LANES];

    Task(int task) {
      this.task = task;
      width = layout.width(task);
      int channel = layout.channel(task);
      bias = ScanInputs.channels(in.deltaBias(), channel, width);
      skip = ScanInputs.channels(in.d(), channel, width);
      ScanInputs.toLanes(in.a(), (long) channel * states, width, states, a);
      if (dLast != null) ScanInputs.toLanes(dLast, layout.stateAt(task), width, states, dh);
    }

    void run() {
      for (int piece = layout.pieces() - 1; piece >= 0; piece--) {
        int from = piece * PIECE, count = layout.length(from);
        checkpoints.read(layout.checkpointAt(task, piece), start, 0, start.length);
        in.b().read(layout.mapAt(task, from), b, 0, count * states);
        in.c().read(layout.mapAt(task, from), c, 0, count * states);
        Arrays.fill(db, 0);
        Arrays.fill(dc, 0);
        enter(from, count);
        for (int i = 0; i < width; i += LANES) {
          System.arraycopy(start, i * states, h, 0, states * LANES);
          for (int t = 0; t < count; t++) recompute(t, i);
          for (int t = count - 1; t >= 0; t--) reverse(t, i);
        }
        leave(from, count);
        addUp(pieceBias, dBias);
        addUp(pieceSkip, dSkip);
        sumLanes(db, out.b(), from, count);
        sumLanes(dc, out.c(), from, count);
      }
      int channel = layout.channel(task);
      long row = (long) layout.sequence(task) * layout.channels() + channel;
      out.deltaBias().write(row, dBias, 0, width);
      out.d().write(row, dSkip, 0, width);
      ScanInputs.fromLanes(da, out.a(), layout.stateAt(task), width, states);
      ScanInputs.fromLanes(dh, out.initial(), layout.stateAt(task), width, states);
    }

    /** What a piece's tokens need before the states: Δ, Δ·u and dy·silu(z). */
    private void enter(int from, int count) {
      for (int t = 0; t < count; t++) {
        long at = layout.at(task, from + t);
        for (int i = 0; i < width; i += LANES) {
          FloatVector raw = load(in.delta(), at + i, width - i).add(load(bias, i));
          FloatVector step = VectorMath.softplus(raw);
          step.intoArray(delta, t * BLOCK + i);
          step.mul(load(in.u(), at + i, width - i)).intoArray(input, t * BLOCK + i);
          FloatVector z = load(in.z(), at + i, width - i);
          FloatVector gate = z.mul(VectorMath.sigmoid(z));
          load(dy, at + i, width - i).mul(gate).intoArray(dRead, t * BLOCK + i);
        }
      }
    }

    /** Forward once more for one token of the vector at channel i; states and decays are kept. */
    private void recompute(int t, int i) {
      FloatVector step = load(delta, t * BLOCK + i).mul(VectorMath.LOG2_E);
      FloatVector x = load(input, t * BLOCK + i);
      FloatVector sum = FloatVector.zero(Lanes.SPECIES);
      int before = t * states * LANES, after = before + states * LANES;
      for (int n = 0; n < states; n++) {
        FloatVector e = VectorMath.exp2(step.mul(load(a, i * states + n * LANES)));
        e.intoArray(decay, before + n * LANES);
        FloatVector state = e.fma(load(h, before + n * LANES), x.mul(b[t * states + n]));
        state.intoArray(h, after + n * LANES);
        sum = state.fma(all(c[t * states + n]), sum);
      }
      sum.intoArray(read, t * BLOCK + i);
    }

    /** One token back: from the gradient of the state after it to that of the state before. */
    private void reverse(int t, int i) {
      FloatVector step = load(delta, t * BLOCK + i), x = load(input, t * BLOCK + i);
      FloatVector g = load(dRead, t * BLOCK + i);
      FloatVector dStep = FloatVector.zero(Lanes.SPECIES), dx = FloatVector.zero(Lanes.SPECIES);
      int before = t * states * LANES, after = before + states * LANES;
      for (int n = 0; n < states; n++) {
        int s = i * states + n * LANES, k = before + n * LANES;
        FloatVector dState = g.fma(all(c[t * states + n]), load(dh, s));
        g.fma(load(h, after + n * LANES), load(dc, k)).intoArray(dc, k);
        x.fma(dState, load(db, k)).intoArray(db, k);
        dx = dState.fma(all(b[t * states + n]), dx);
        FloatVector dBefore = dState.mul(load(decay, k));
        dBefore.intoArray(dh, s);
        FloatVector dExponent = dBefore.mul(load(h, k)); // of Δ·a
        dStep = dExponent.fma(load(a, s), dStep);
        dExponent.fma(step, load(da, s)).intoArray(da, s);
      }
      dStep.intoArray(dDelta, t * BLOCK + i);
      dx.intoArray(dInput, t * BLOCK + i);
    }

    /** From the gradients of Δ, Δ·u and the gate to those of the tensors that came in. */
    private void leave(int from, int count) {
      for (int t = 0; t < count; t++) {
        long at = layout.at(task, from + t);
        for (int i = 0; i < width; i += LANES) {
          int rest = width - i, k = t * BLOCK + i;
          FloatVector u = load(in.u(), at + i, rest), z = load(in.z(), at + i, rest);
          FloatVector g = load(dRead, k), dx = load(dInput, k), step = load(delta, k);
          store(dx.fma(step, g.mul(load(skip, i))), out.u(), at + i, rest);
          g.fma(u, load(pieceSkip, i)).intoArray(pieceSkip, i);

          FloatVector raw = load(in.delta(), at + i, rest).add(load(bias, i));
          FloatVector dRaw =
              dx.fma(u, load(dDelta, k)).mul(VectorMath.sigmoid(raw)); // softplus' = σ
          store(dRaw, out.delta(), at + i, rest);
          load(pieceBias, i).add(dRaw).intoArray(pieceBias, i);

          // silu'(z) = σ(z)·(1 + z·(1 − σ(z)))
          FloatVector sigmoid = VectorMath.sigmoid(z);
          FloatVector slope = sigmoid.mul(z.fma(all(1f).sub(sigmoid), all(1f)));
          FloatVector sum = u.fma(load(skip, i), load(read, k));
          store(load(dy, at + i, rest).mul(sum).mul(slope), out.z(), at + i, rest);
        }
      }
    }

    /** Adds a piece's sums to the sequence's: two levels of summing round less than one. */
    private static void addUp(float[] piece, float[] total) {
      for (int i = 0; i < BLOCK; i++) total[i] += piece[i];
      Arrays.fill(piece, 0);
    }

    private void sumLanes(float[] from, Floats to, int token, int count) {
      long row = ((long) (task % layout.blocks()) * layout.batch() + layout.sequence(task));
      long at = (row * layout.tokens() + token) * states;
      for (int k = 0; k < count * states; k++) {
        to.set(at + k, Lanes.sum(load(from, k * LANES), lanes));
      }
    }
  }
}
