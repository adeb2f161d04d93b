package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.Lanes.load;
import static org.bmojo.kernels.cpu.TileProduct.WIDTH;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import org.bmojo.kernels.cpu.TileProduct.Matrix;
import org.bmojo.kernels.torch.Floats;
import org.jspecify.annotations.Nullable;

/**
 * One tile's share of the gradients. Weights are computed again from the log-sum-exp of the whole
 * softmax, which makes every block independent of the others: with p the weights and g = dOut,
 *
 * <pre>
 * dv = pᵀ g       dLogit = p ∘ (g vᵀ − δ), δ = g · out       dq = dLogit k       dk = dLogitᵀ q
 * </pre>
 */
final class BackwardTile {
  final TileLogits logits;
  private final int stride;
  private final float scale;

  private final float[] near, far; // (WIDTH, stride), the queries times scale, as rows
  private final float[] g; // (WIDTH, stride)
  private final float[] gColumns; // (D, WIDTH)
  private final float[] dNear, dFar; // (D padded, WIDTH), still without scale
  private final float[] dLogits = new float[KeyBlock.KEYS * WIDTH];
  private final float[] logSumExp = new float[WIDTH];
  private final float[] delta = new float[WIDTH];
  private final float[] halves = new float[KeyBlock.KEYS * LANES];
  private final float[] sums = new float[KeyBlock.KEYS];
  private final float[] row;

  BackwardTile(TileLogits logits, boolean eidetic, float scale) {
    this.logits = logits;
    this.scale = scale;
    int dim = logits.dim;
    stride = TileProduct.paddedColumns(dim);
    near = new float[WIDTH * stride];
    far = new float[eidetic ? near.length : 0];
    g = new float[near.length];
    gColumns = new float[dim * WIDTH];
    dNear = new float[TileProduct.paddedRows(dim) * WIDTH];
    dFar = new float[eidetic ? dNear.length : 0];
    row = new float[stride];
  }

  /** Reads queries token … token+count−1; the tile's logits have theirs already. */
  void begin(HeadRows q, @Nullable HeadRows farQ, HeadRows out, HeadRows dOut, int token) {
    int count = logits.count;
    rows(q, token, near, scale);
    if (farQ != null) rows(farQ, token, far, scale);
    rows(dOut, token, g, 1);
    logits.transpose(dOut, token, count, 1, gColumns);
    Arrays.fill(dNear, 0);
    Arrays.fill(dFar, 0);
    for (int t = 0; t < count; t++) {
      out.read(token + t, 1, row, stride);
      double along = 0;
      for (int d = 0; d < logits.dim; d++) along += (double) row[d] * g[t * stride + d];
      delta[t] = (float) along;
    }
  }

  /** The tile's log-sum-exp: that of the first query at {@code at}. */
  void logSumExp(Floats from, long at, long step) {
    for (int t = 0; t < logits.count; t++) {
      logSumExp[t] = from.get(at + t * step);
    }
  }

  private void rows(HeadRows from, int token, float[] to, float factor) {
    Arrays.fill(to, 0);
    from.read(token, logits.count, to, stride);
    if (factor == 1) return;
    for (int i = 0; i < to.length; i++) to[i] *= factor;
  }

  /** Adds what this tile gives to and takes from one block. */
  void attend(KeyBlock block) {
    if (!logits.see(block)) return;
    logits.compute(block);
    int from = logits.from, end = logits.end;
    weigh(0);
    weigh(LANES);
    Matrix weights = Matrix.of(logits.scores, from * WIDTH, WIDTH);
    Matrix slopes = Matrix.of(dLogits, from * WIDTH, WIDTH);
    // dLogits starts at −δ, and the product adds g vᵀ.
    TileProduct.add(
        Matrix.of(block.v, from * block.stride, block.stride),
        Matrix.of(gColumns, 0, WIDTH),
        slopes,
        end - from,
        logits.dim);
    for (int i = from * WIDTH; i < end * WIDTH; i += LANES) {
      load(dLogits, i).mul(load(logits.scores, i)).intoArray(dLogits, i);
    }
    TileProduct.add(
        Matrix.transposed(block.k, from * block.stride, block.stride),
        slopes,
        Matrix.of(block.eidetic ? dFar : dNear, 0, WIDTH),
        logits.dim,
        end - from);
    int at = from * block.stride;
    for (int d = 0; d < stride; d += WIDTH) {
      Matrix q = Matrix.of(block.eidetic ? far : near, d, stride);
      TileProduct.add(slopes, q, Matrix.of(block.dk, at + d, stride), end - from, WIDTH);
      Matrix gRows = Matrix.of(g, d, stride);
      TileProduct.add(weights, gRows, Matrix.of(block.dv, at + d, stride), end - from, WIDTH);
    }
    if (block.eidetic) bias(block);
  }

  /** Half of the lanes: logits become weights, and {@link #dLogits} starts at −δ. */
  private void weigh(int lane) {
    FloatVector joint = load(logSumExp, lane), start = load(delta, lane).neg();
    for (int i = logits.from * WIDTH + lane; i < logits.end * WIDTH; i += WIDTH) {
      TileLogits.weight(load(logits.scores, i).sub(joint)).intoArray(logits.scores, i);
      start.intoArray(dLogits, i);
    }
  }

  /** A bias is added to the logits of all queries, so its gradient is the sum of theirs. */
  private void bias(KeyBlock block) {
    int rows = logits.end - logits.from;
    for (int r = 0; r < rows; r++) {
      int at = (logits.from + r) * WIDTH;
      load(dLogits, at).add(load(dLogits, at + LANES)).intoArray(halves, r * LANES);
    }
    LaneSums.of(halves, rows, sums);
    int first = logits.head * KeyBlock.KEYS + logits.from;
    for (int r = 0; r < rows; r++) block.dBias[first + r] += sums[r];
  }

  /** Writes the gradient of the tile's queries, whose first token is {@code token}. */
  void store(HeadRows dq, @Nullable HeadRows dFarQ, int token) {
    store(dNear, dq, token);
    if (dFarQ != null) store(dFar, dFarQ, token);
  }

  private void store(float[] columns, HeadRows to, int token) {
    for (int t = 0; t < logits.count; t++) {
      for (int d = 0; d < logits.dim; d++) row[d] = columns[d * WIDTH + t] * scale;
      to.memory().write(to.at() + (token + t) * to.step(), row, 0, to.dim());
    }
  }
}
