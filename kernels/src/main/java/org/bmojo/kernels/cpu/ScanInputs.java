package org.bmojo.kernels.cpu;

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
    @Nullable Floats initial,
    @Nullable DocumentRows documents) {

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
        initial == null ? null : Floats.of(initial),
        DocumentRows.of(in.begin()));
  }

  /** Whether {@code token} knows of none before it. */
  boolean beginsAt(int sequence, int token) {
    return documents != null && documents.beginsAt(sequence, token);
  }

  private static float[] rates(Floats from, ScanLayout layout) {
    float[] rows = new float[layout.channels() * layout.states()];
    from.read(0, rows, 0, rows.length);
    float[] to = new float[layout.blocks() * layout.stateSize()];
    ScanLayout.toLanes(rows, layout.channels(), layout.states(), to);
    return to;
  }

  private static float[] channels(Floats from, ScanLayout layout) {
    float[] to = new float[layout.blocks() * BLOCK];
    from.read(0, to, 0, layout.channels());
    return to;
  }
}
