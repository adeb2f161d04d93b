package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.MemoryAttention.Eidetic;
import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bmojo.kernels.op.MemoryAttention.Gradients;
import org.bmojo.kernels.op.MemoryAttention.Inputs;
import org.bmojo.kernels.op.MemoryAttention.Output;
import org.bmojo.kernels.op.MemoryAttention.Stream;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * {@code band_attention.cu} for window and fading keys, then {@link EideticPart}. Gradients belong
 * to the innermost scope.
 */
final class JointBackward {
  /** Rows of a stage of {@code band_attention.cu}. */
  private static final int NEXT = 64;

  private final Door door;
  private final Geometry geometry;
  private final Tensor q;
  private final Stream window;
  private final @Nullable Stream fading;
  private final @Nullable Eidetic eidetic;
  private final @Nullable Tensor begin;
  private final long batch, tokens, heads, groups, rows;
  private final int warps;
  private final Program program;

  JointBackward(Door door, Inputs in) {
    this.door = door;
    geometry = in.geometry();
    q = door.activation("q", in.q());
    window = dense("window", in.window());
    Stream faded = CudaMemoryAttention.faded(in);
    fading = faded == null ? null : dense("fading", faded);
    eidetic = CudaMemoryAttention.remembered(in);
    begin = door.beginOrNull(in.begin());
    batch = q.size(0);
    tokens = q.size(1);
    heads = q.size(2);
    groups = window.k().size(2);
    int most = q.size(3) <= 64 && window.k().size(1) > 64 ? 8 : 4;
    while (most > 1 && shared(most, 4) > Device.of(q).shared()) most /= 2;
    warps = most;
    rows = 16L * warps;
    String packed = JointForward.packed(begin);
    program = Program.of(q, "band_attention", "HEAD=" + q.size(3), "WARPS=" + warps, packed);
  }

  /** Of the joint output, dense; dOut (B, T, H, D) dense. */
  Gradients run(Output joint, Tensor dOut) {
    Tensor dq = empty(q, Shapes.of(q)), along = Floats.empty(q, batch, tokens, heads);
    Stream dWindow = like(window), dFading = fading == null ? null : like(fading);
    queries(joint, dOut, dq, along);
    keys(joint.logSumExp(), dOut, along, dWindow, dFading);
    Eidetic dEidetic =
        eidetic == null
            ? null
            : new EideticPart(door, geometry, eidetic, begin)
                .backward(dOut, joint.logSumExp(), along);
    return new Gradients(dq, dWindow, dFading, dEidetic);
  }

  private void queries(Output joint, Tensor dOut, Tensor dq, Tensor along) {
    program
        .kernel("attention_backward_queries")
        .launch(
            new Grid(tiles(tokens), heads, batch, 32 * warps, shared(warps, 1)),
            q,
            window.k(),
            window.v(),
            rows(window),
            span(geometry.window()),
            fading == null ? null : fading.k(),
            fading == null ? null : fading.v(),
            rows(fading),
            fading == null ? 0 : span(geometry.fading()),
            joint.out(),
            dOut,
            joint.logSumExp(),
            begin,
            dq,
            along,
            tokens,
            (int) heads,
            (int) groups,
            (float) geometry.scale());
  }

  private void keys(
      Tensor logSumExp, Tensor dOut, Tensor along, Stream dWindow, @Nullable Stream dFading) {
    program
        .kernel("attention_backward_keys")
        .launch(
            new Grid(
                tiles(rows(window)) + tiles(rows(fading)),
                groups,
                batch,
                32 * warps,
                shared(warps, 4)),
            q,
            window.k(),
            window.v(),
            rows(window),
            span(geometry.window()),
            fading == null ? null : fading.k(),
            fading == null ? null : fading.v(),
            rows(fading),
            fading == null ? 0 : span(geometry.fading()),
            dOut,
            logSumExp,
            along,
            begin,
            dWindow.k(),
            dWindow.v(),
            dFading == null ? null : dFading.k(),
            dFading == null ? null : dFading.v(),
            tokens,
            (int) heads,
            (int) groups,
            (float) geometry.scale());
  }

  private Stream dense(String name, Stream s) {
    return new Stream(door.activation(name + " k", s.k()), door.activation(name + " v", s.v()));
  }

  private static Stream like(Stream s) {
    return new Stream(empty(s.k(), Shapes.of(s.k())), empty(s.v(), Shapes.of(s.v())));
  }

  private static int rows(@Nullable Stream s) {
    return s == null ? 0 : (int) s.k().size(1);
  }

  private static int span(int tokens) {
    return Math.min(tokens, JointForward.LONGEST);
  }

  private long tiles(long count) {
    return (count + rows - 1) / rows;
  }

  /** Two tiles of a block's own, two stages of two more, and so many floats for each row of one. */
  private int shared(int warps, int floats) {
    long pitch = (q.size(3) + 31) / 32 * 32 + 8, own = 16L * warps;
    return (int) (2 * pitch * (2 * own + 4 * NEXT) + 4 * floats * Math.max(own, NEXT));
  }
}
