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

/** Forward over one sequence and one group of blocks: the task's working memory and its stages. */
final class ScanForward {
  private final int task, sequence, firstBlock, endBlock, states, stride;
  private final ScanLayout layout;
  private final ScanInputs in;
  private final Floats y, last;
  private final @Nullable Floats checkpoints;

  private final float[] h; // [block][channel vector][state][lane]

  // Of a piece, for all blocks: [token][channel of the task], rows a stride apart.
  private final float[] u, delta, z; // delta before bias and softplus; z turns into y

  // Of a piece, for one block: [token][channel of the block].
  private final float[] step = new float[PIECE * BLOCK]; // Δ·log₂e
  private final float[] input = new float[PIECE * BLOCK]; // Δ·u
  private final float[] read = new float[PIECE * BLOCK]; // Σ_n h·c

  private final float[] b, c; // of a piece, [token][state]

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
    sequence = layout.sequence(task);
    firstBlock = layout.firstBlock(task);
    endBlock = layout.endBlock(task);
    states = layout.states();
    stride = layout.stride(task);
    h = new float[(endBlock - firstBlock) * layout.stateSize()];
    u = new float[PIECE * stride];
    delta = new float[PIECE * stride];
    z = new float[PIECE * stride];
    b = new float[PIECE * states];
    c = new float[PIECE * states];
  }

  void run() {
    if (in.initial() != null) layout.readStates(in.initial(), task, h);
    List<Stage> stages = List.of(this::begin, this::recur, this::gate);
    for (int from = 0; from < layout.tokens(); from += PIECE) {
      int count = layout.length(from);
      if (checkpoints != null) {
        checkpoints.write(layout.checkpointAt(task, from / PIECE), h, 0, h.length);
      }
      layout.read(in.u(), task, from, count, u);
      layout.read(in.delta(), task, from, count, delta);
      layout.read(in.z(), task, from, count, z);
      in.b().read(layout.mapAt(sequence, from), b, 0, count * states);
      in.c().read(layout.mapAt(sequence, from), c, 0, count * states);
      for (int block = firstBlock; block < endBlock; block++) {
        for (Stage stage : stages) stage.run(block, from, count);
      }
      layout.write(z, task, from, count, y);
    }
    layout.writeStates(h, task, last);
  }

  /** Δ = softplus(delta + bias), times log₂e for the exponentials, and Δ·u. */
  private void begin(int block, int from, int count) {
    int at = (block - firstBlock) * BLOCK;
    for (int i = 0; i < layout.width(block); i += LANES) {
      FloatVector bias = load(in.deltaBias(), block * BLOCK + i);
      for (int t = 0; t < count; t++) {
        int k = t * stride + at + i;
        FloatVector softplus = VectorMath.softplus(load(delta, k).add(bias));
        softplus.mul(VectorMath.LOG2_E).intoArray(step, t * BLOCK + i);
        softplus.mul(load(u, k)).intoArray(input, t * BLOCK + i);
      }
    }
  }

  /** The recurrence: advances h over the piece and leaves Σ_n h·c in {@code read}. */
  private void recur(int block, int from, int count) {
    int at = (block - firstBlock) * layout.stateSize();
    for (int t = 0; t < count; t++) {
      if (in.beginsAt(sequence, from + t)) Arrays.fill(h, at, at + layout.stateSize(), 0);
      for (int i = 0; i < layout.width(block); i += LANES) advance(block, t, i);
    }
  }

  /** One token of the vector at channel i. */
  private void advance(int block, int t, int i) {
    float[] a = in.a(), h = this.h, b = this.b, c = this.c;
    FloatVector delta = load(step, t * BLOCK + i), x = load(input, t * BLOCK + i);
    FloatVector sum = all(0f);
    int rates = block * layout.stateSize() + i * states;
    int base = (block - firstBlock) * layout.stateSize() + i * states, row = t * states;
    for (int n = 0; n < states; n++) {
      FloatVector decay = VectorMath.exp2(delta.mul(load(a, rates + n * LANES)));
      FloatVector state = decay.fma(load(h, base + n * LANES), x.mul(b[row + n]));
      state.intoArray(h, base + n * LANES);
      sum = state.fma(all(c[row + n]), sum);
    }
    sum.intoArray(read, t * BLOCK + i);
  }

  /** y = (read + d·u)·silu(z), in the place of z. */
  private void gate(int block, int from, int count) {
    int at = (block - firstBlock) * BLOCK;
    for (int i = 0; i < layout.width(block); i += LANES) {
      FloatVector skip = load(in.d(), block * BLOCK + i);
      for (int t = 0; t < count; t++) {
        int k = t * stride + at + i;
        FloatVector gate = load(z, k), sum = load(u, k).fma(skip, load(read, t * BLOCK + i));
        sum.mul(gate.mul(VectorMath.sigmoid(gate))).intoArray(z, k);
      }
    }
  }
}
