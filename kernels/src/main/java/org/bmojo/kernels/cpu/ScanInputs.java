package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;

import org.bmojo.kernels.op.SelectiveScan.Inputs;
import org.bmojo.kernels.torch.Floats;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** A scan's inputs as memory, and the copies of them that a task keeps at hand. */
record ScanInputs(
    Floats u,
    Floats delta,
    Floats a,
    Floats b,
    Floats c,
    Floats d,
    Floats z,
    Floats deltaBias,
    @Nullable Floats initial) {

  static ScanInputs of(Inputs in) {
    Tensor initial = in.initial();
    return new ScanInputs(
        Floats.of(in.u()),
        Floats.of(in.delta()),
        Floats.of(in.a()),
        Floats.of(in.b()),
        Floats.of(in.c()),
        Floats.of(in.d()),
        Floats.of(in.z()),
        Floats.of(in.deltaBias()),
        initial == null ? null : Floats.of(initial));
  }

  /**
   * A task's part of a tensor (…, I, N) as vectors, [channel vector][state][lane], zero beyond the
   * last channel.
   *
   * @param from (I, N) rows
   * @param at where the task's first row starts
   */
  static void toLanes(Floats from, long at, int width, int states, float[] to) {
    for (int i = 0; i < width; i++) {
      int base = i / LANES * LANES * states + i % LANES;
      for (int n = 0; n < states; n++) to[base + n * LANES] = from.get(at + (long) i * states + n);
    }
  }

  /** The way back of {@link #toLanes}. */
  static void fromLanes(float[] from, Floats to, long at, int width, int states) {
    for (int i = 0; i < width; i++) {
      int base = i / LANES * LANES * states + i % LANES;
      for (int n = 0; n < states; n++) to.set(at + (long) i * states + n, from[base + n * LANES]);
    }
  }

  /** A task's part of a tensor (I), zero beyond the last channel. */
  static float[] channels(Floats from, int at, int width) {
    float[] to = new float[ScanLayout.BLOCK];
    from.read(at, to, 0, width);
    return to;
  }
}
