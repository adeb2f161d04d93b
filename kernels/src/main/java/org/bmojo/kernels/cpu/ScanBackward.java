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
 * Backward over one sequence and one group of blocks, piece by piece from the last: the task's
 * working memory and its stages.
 */
final class ScanBackward {
  private final int task, sequence, firstBlock, endBlock, states, stride;
  private final ScanLayout layout;
  private final ScanInputs in;
  private final Floats checkpoints, dy;
  private final @Nullable Floats dLast;
  private final ScanGradients out;

  private final float[] start; // states before the piece, [block][channel vector][state][lane]
  private final float[] da, dh; // the same form; dh is of the state after the token at hand
  private final float[] dBias, dSkip; // [block][channel]

  // Of a piece, for all blocks: [token][channel of the task], rows a stride apart.
  private final float[] u, raw, z; // raw with bias, before softplus; all three turn into gradients
  private final float[] g; // dy

  // Of a piece, for one block: [token][channel of the block].
  private final float[] delta = new float[PIECE * BLOCK]; // Δ
  private final float[] input = new float[PIECE * BLOCK]; // Δ·u
  private final float[] read = new float[PIECE * BLOCK]; // Σ_n h·c
  private final float[] dRead = new float[PIECE * BLOCK]; // dy·silu(z)
  private final float[] dDelta = new float[PIECE * BLOCK]; // through the decays alone
  private final float[] dInput = new float[PIECE * BLOCK];

  // Of a piece, for one vector of channels: [token][state][lane].
  private final float[] h; // one token more: the state before the piece comes first
  private final float[] decay;
  private final float[] db, dc; // summed over the block's vectors, not yet over the lanes
  private final float[] b, c, sums; // of a piece, [token][state]

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
    this.dLast = dLast;
    this.out = out;
    sequence = layout.sequence(task);
    firstBlock = layout.firstBlock(task);
    endBlock = layout.endBlock(task);
    states = layout.states();
    stride = layout.stride(task);
    int blocks = endBlock - firstBlock;
    start = new float[blocks * layout.stateSize()];
    da = new float[blocks * layout.stateSize()];
    dh = new float[blocks * layout.stateSize()];
    dBias = new float[blocks * BLOCK];
    dSkip = new float[blocks * BLOCK];
    u = new float[PIECE * stride];
    raw = new float[PIECE * stride];
    z = new float[PIECE * stride];
    g = new float[PIECE * stride];
    h = new float[(PIECE + 1) * states * LANES];
    decay = new float[PIECE * states * LANES];
    db = new float[PIECE * states * LANES];
    dc = new float[PIECE * states * LANES];
    b = new float[PIECE * states];
    c = new float[PIECE * states];
    sums = new float[PIECE * states];
  }

  void run() {
    if (dLast != null) layout.readStates(dLast, task, dh);
    List<Stage> stages =
        List.of(
            this::begin,
            this::beginGate,
            this::recur,
            this::endGate,
            this::endDelta,
            this::endInput,
            this::sumLanes);
    for (int piece = layout.pieces() - 1; piece >= 0; piece--) {
      int from = piece * PIECE, count = layout.length(from);
      checkpoints.read(layout.checkpointAt(task, piece), start, 0, start.length);
      layout.read(in.u(), task, from, count, u);
      layout.read(in.delta(), task, from, count, raw);
      layout.read(in.z(), task, from, count, z);
      layout.read(dy, task, from, count, g);
      in.b().read(layout.mapAt(sequence, from), b, 0, count * states);
      in.c().read(layout.mapAt(sequence, from), c, 0, count * states);
      for (int block = firstBlock; block < endBlock; block++) {
        for (Stage stage : stages) stage.run(block, from, count);
      }
      layout.write(u, task, from, count, out.u());
      layout.write(raw, task, from, count, out.delta());
      layout.write(z, task, from, count, out.z());
    }
    long channel = (long) sequence * layout.channels() + firstBlock * BLOCK;
    out.deltaBias().write(channel, dBias, 0, layout.taskWidth(task));
    out.d().write(channel, dSkip, 0, layout.taskWidth(task));
    layout.writeStates(da, task, out.a());
    layout.writeStates(dh, task, out.initial());
  }

  /** raw with its bias, Δ and Δ·u. */
  private void begin(int block, int from, int count) {
    int at = (block - firstBlock) * BLOCK;
    for (int i = 0; i < layout.width(block); i += LANES) {
      FloatVector bias = load(in.deltaBias(), block * BLOCK + i);
      for (int t = 0; t < count; t++) {
        int k = t * stride + at + i;
        FloatVector biased = load(raw, k).add(bias), softplus = VectorMath.softplus(biased);
        biased.intoArray(raw, k);
        softplus.intoArray(delta, t * BLOCK + i);
        softplus.mul(load(u, k)).intoArray(input, t * BLOCK + i);
      }
    }
  }

  /** The gradient that goes into the read-out: dy·silu(z). */
  private void beginGate(int block, int from, int count) {
    int at = (block - firstBlock) * BLOCK;
    for (int i = 0; i < layout.width(block); i += LANES) {
      for (int t = 0; t < count; t++) {
        int k = t * stride + at + i;
        FloatVector gate = load(z, k);
        load(g, k).mul(gate.mul(VectorMath.sigmoid(gate))).intoArray(dRead, t * BLOCK + i);
      }
    }
  }

  private void recur(int block, int from, int count) {
    Arrays.fill(db, 0);
    Arrays.fill(dc, 0);
    int at = (block - firstBlock) * layout.stateSize();
    for (int i = 0; i < layout.width(block); i += LANES) {
      System.arraycopy(start, at + i * states, h, 0, states * LANES);
      for (int t = 0; t < count; t++) {
        if (in.beginsAt(sequence, from + t)) recomputeFirst(t, i);
        else recompute(block, t, i);
      }
      for (int t = count - 1; t >= 0; t--) reverse(block, t, i);
    }
  }

  /** Forward once more for one token of the vector at channel i; states and decays are kept. */
  private void recompute(int block, int t, int i) {
    float[] a = in.a(), h = this.h, decay = this.decay, b = this.b, c = this.c;
    FloatVector step = load(delta, t * BLOCK + i).mul(VectorMath.LOG2_E);
    FloatVector x = load(input, t * BLOCK + i), sum = all(0f);
    int before = t * states * LANES, after = before + states * LANES, row = t * states;
    int rates = block * layout.stateSize() + i * states;
    for (int n = 0; n < states; n++) {
      FloatVector e = VectorMath.exp2(step.mul(load(a, rates + n * LANES)));
      e.intoArray(decay, before + n * LANES);
      FloatVector state = e.fma(load(h, before + n * LANES), x.mul(b[row + n]));
      state.intoArray(h, after + n * LANES);
      sum = state.fma(all(c[row + n]), sum);
    }
    sum.intoArray(read, t * BLOCK + i);
  }

  /** The same for the first token of a document, with decays of zero. */
  private void recomputeFirst(int t, int i) {
    FloatVector x = load(input, t * BLOCK + i), sum = all(0f);
    int before = t * states * LANES, after = before + states * LANES, row = t * states;
    for (int n = 0; n < states; n++) {
      all(0f).intoArray(decay, before + n * LANES);
      FloatVector state = x.mul(b[row + n]);
      state.intoArray(h, after + n * LANES);
      sum = state.fma(all(c[row + n]), sum);
    }
    sum.intoArray(read, t * BLOCK + i);
  }

  /** One token back: from the gradient of the state after it to that of the state before. */
  private void reverse(int block, int t, int i) {
    float[] a = in.a(), h = this.h, decay = this.decay, b = this.b, c = this.c;
    float[] da = this.da, dh = this.dh, db = this.db, dc = this.dc;
    FloatVector step = load(delta, t * BLOCK + i), x = load(input, t * BLOCK + i);
    FloatVector dSum = load(dRead, t * BLOCK + i), dStep = all(0f), dx = all(0f);
    int before = t * states * LANES, after = before + states * LANES, row = t * states;
    int rates = block * layout.stateSize() + i * states;
    int base = (block - firstBlock) * layout.stateSize() + i * states;
    for (int n = 0; n < states; n++) {
      int s = base + n * LANES, k = before + n * LANES;
      FloatVector dState = dSum.fma(all(c[row + n]), load(dh, s));
      dSum.fma(load(h, after + n * LANES), load(dc, k)).intoArray(dc, k);
      x.fma(dState, load(db, k)).intoArray(db, k);
      dx = dState.fma(all(b[row + n]), dx);
      FloatVector dBefore = dState.mul(load(decay, k));
      dBefore.intoArray(dh, s);
      FloatVector dExponent = dBefore.mul(load(h, k)); // of Δ·a
      dStep = dExponent.fma(load(a, rates + n * LANES), dStep);
      dExponent.fma(step, load(da, s)).intoArray(da, s);
    }
    dStep.intoArray(dDelta, t * BLOCK + i);
    dx.intoArray(dInput, t * BLOCK + i);
  }

  /** dz = dy·(read + d·u)·silu'(z), where silu'(z) = σ(z)·(1 + z·(1 − σ(z))). */
  private void endGate(int block, int from, int count) {
    int at = (block - firstBlock) * BLOCK;
    for (int i = 0; i < layout.width(block); i += LANES) {
      FloatVector skip = load(in.d(), block * BLOCK + i);
      for (int t = 0; t < count; t++) {
        int k = t * stride + at + i;
        FloatVector gate = load(z, k), sigmoid = VectorMath.sigmoid(gate);
        FloatVector slope = sigmoid.mul(gate.fma(all(1f).sub(sigmoid), all(1f)));
        FloatVector sum = load(u, k).fma(skip, load(read, t * BLOCK + i));
        load(g, k).mul(sum).mul(slope).intoArray(z, k);
      }
    }
  }

  /**
   * From dΔ, which is dInput·u and what came through the decays, to that of raw; softplus' = σ. A
   * piece's sum is added to the sequence's whole: two levels of summing round less than one.
   */
  private void endDelta(int block, int from, int count) {
    int at = (block - firstBlock) * BLOCK;
    for (int i = 0; i < layout.width(block); i += LANES) {
      FloatVector sum = all(0f);
      for (int t = 0; t < count; t++) {
        int k = t * stride + at + i, j = t * BLOCK + i;
        FloatVector dStep = load(dInput, j).fma(load(u, k), load(dDelta, j));
        FloatVector dRaw = dStep.mul(VectorMath.sigmoid(load(raw, k)));
        dRaw.intoArray(raw, k);
        sum = sum.add(dRaw);
      }
      sum.add(load(dBias, at + i)).intoArray(dBias, at + i);
    }
  }

  /** du through Δ·u and through the skip, and the skip's own gradient. */
  private void endInput(int block, int from, int count) {
    int at = (block - firstBlock) * BLOCK;
    for (int i = 0; i < layout.width(block); i += LANES) {
      FloatVector skip = load(in.d(), block * BLOCK + i), sum = all(0f);
      for (int t = 0; t < count; t++) {
        int k = t * stride + at + i, j = t * BLOCK + i;
        FloatVector dSum = load(dRead, j);
        sum = dSum.fma(load(u, k), sum);
        load(dInput, j).fma(load(delta, j), dSum.mul(skip)).intoArray(u, k);
      }
      sum.add(load(dSkip, at + i)).intoArray(dSkip, at + i);
    }
  }

  /** A block's share of db and dc, which the caller sums over the blocks. */
  private void sumLanes(int block, int from, int count) {
    long at = (long) block * layout.batch() * layout.tokens() * states;
    LaneSums.of(db, count * states, sums);
    out.b().write(at + layout.mapAt(sequence, from), sums, 0, count * states);
    LaneSums.of(dc, count * states, sums);
    out.c().write(at + layout.mapAt(sequence, from), sums, 0, count * states);
  }
}
