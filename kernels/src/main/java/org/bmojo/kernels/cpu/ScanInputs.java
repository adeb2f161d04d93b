package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.LANES;
import static org.bmojo.kernels.cpu.ScanLayout.BLOCK;

import org.bmojo.kernels.op.SelectiveScan.Inputs;
import org.bmojo.kernels.torch.Floats;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A scan's inputs: the sequences as memory, the parameters as arrays of whole blocks, zero beyond
 * the last channel.
 *
 * @param a [block][channel vector][state][lane]
 * @param d [block][channel], and {@code deltaBias} likewise
 */
record ScanInputs(
    Floats u,
    Floats delta,
    float[] a,
    Floats b,
    Floats c,
    float[] d,
    Floats z,
    float[] deltaBias,
    @Nullable Floats initial) {

  static ScanInputs of(Inputs in, ScanLayout layout) {
    Tensor initial = in.initial();
    return new ScanInputs(
        Floats.of(in.u()),
        Floats.of(in.delta()),
        rates(Floats.of(in.a()), layout),
        Floats.of(in.b()),
        Floats.of(in.c()),
        channels(Floats.of(in.d()), layout),
        Floats.of(in.z()),
        channels(Floats.of(in.deltaBias()), layout),
        initial == null ? null : Floats.of(initial));
  }

  private static float[] rates(Floats from, ScanLayout layout) {
    float[] all = new float[layout.blocks() * layout.stateSize()];
    float[] rows = new float[layout.stateSize()];
    for (int block = 0; block < layout.blocks(); block++) {
      int width = layout.width(block);
      from.read(layout.stateAt(block), rows, 0, width * layout.states());
      toLanes(rows, width, layout.states(), all, block * layout.stateSize());
    }
    return all;
  }

  private static float[] channels(Floats from, ScanLayout layout) {
    float[] to = new float[layout.blocks() * BLOCK];
    from.read(0, to, 0, layout.channels());
    return to;
  }

  /**
   * From rows [channel][state] to vectors [channel vector][state][lane]; lanes beyond the last
   * channel are left as they are.
   */
  static void toLanes(float[] rows, int width, int states, float[] to, int at) {
    for (int i = 0; i < width; i++) {
      int base = at + i / LANES * LANES * states + i % LANES;
      for (int n = 0; n < states; n++) to[base + n * LANES] = rows[i * states + n];
    }
  }

  /** The way back of {@link #toLanes}. */
  static void fromLanes(float[] from, int width, int states, float[] rows) {
    for (int i = 0; i < width; i++) {
      int base = i / LANES * LANES * states + i % LANES;
      for (int n = 0; n < states; n++) rows[i * states + n] = from[base + n * LANES];
    }
  }
}
