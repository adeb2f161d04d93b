package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.cuda.HeadScan.Dotted;
import org.bmojo.kernels.cuda.HeadScan.Parts;
import org.bmojo.kernels.cuda.HeadScan.States;
import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.Ssd;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * {@code ssd.cu}. Checkpoints are the states that segments of a sequence begin with, none where
 * there is but one: backward walks forward again from there. States too large for its registers are
 * left to another room.
 */
public final class CudaSsd implements Ssd {
  private static final String OP = "ssd";

  private final Ssd otherwise;

  /** With {@code otherwise} for states of more than 128 rows or columns. */
  public CudaSsd(Ssd otherwise) {
    this.otherwise = otherwise;
  }

  @Override
  public Output forward(Inputs in, boolean forBackward) {
    if (!serves(in)) return otherwise.forward(in, forBackward);
    try (Scope scope = new Scope()) {
      Call call = new Call(in);
      Parts parts = new Parts(call.q, call.k, call.v, false, false);
      if (!call.scan.segmented()) {
        Tensor last = call.state();
        Tensor y = call.scan.out(parts, call.initial, last);
        return new Output(scope.keep(y), scope.keep(last), null);
      }
      States states = call.scan.states(parts, call.initial);
      Tensor y = call.scan.out(parts, states.starts(), null);
      Tensor starts = forBackward ? scope.keep(states.starts()) : null;
      return new Output(scope.keep(y), scope.keep(states.last()), starts);
    }
  }

  @Override
  public Gradients backward(
      Inputs in, @Nullable Tensor checkpoints, Tensor dy, @Nullable Tensor dLast) {
    if (!serves(in)) return otherwise.backward(in, checkpoints, dy, dLast);
    try (Scope scope = new Scope()) {
      Call call = new Call(in);
      HeadScan scan = call.scan;
      if (scan.segmented() && checkpoints == null) {
        throw new IllegalStateException("forward was told no backward follows");
      }
      Tensor d = call.door.rows("dy", dy);
      Tensor starts = scan.segmented() ? checkpoints : call.initial;
      Tensor ends = call.door.stateOrNull("dLast", dLast);
      Parts values = new Parts(call.k, call.q, d, true, false);
      Tensor dInitial = call.state(), dv;
      if (scan.segmented()) {
        States states = scan.states(values, ends);
        ends = states.starts();
        dInitial = states.last();
        dv = scan.out(values, ends, null);
      } else {
        dv = scan.out(values, ends, dInitial);
      }
      Dotted dq = scan.dotted(new Parts(d, call.v, call.k, false, true), call.q, starts, ends);
      Dotted dk = scan.dotted(new Parts(call.v, d, call.q, true, true), call.k, ends, null);
      return new Gradients(
          scope.keep(dq.out()),
          scope.keep(dk.out()),
          scope.keep(dv),
          scope.keep(scan.decays(call.v, dq.dots(), dk.dots(), dq.anchors())),
          scope.keep(dInitial));
    }
  }

  @Override
  public Tensor step(Inputs in, Tensor state) {
    try (Scope scope = new Scope()) {
      Call call = new Call(in);
      Shapes.expect(OP, "state", state, call.batch, call.heads, call.rows, call.columns);
      Tensor y = empty(call.v, Shapes.of(call.v));
      Program.of(call.v, "head_states", "ELEMENT=" + Program.type(call.v))
          .kernel("ssd_step")
          .launch(
              new Grid((call.columns + 31) / 32, call.batch * call.heads, 1, 256, 0),
              call.q.contiguous(),
              call.k.contiguous(),
              call.v.contiguous(),
              call.g,
              call.door.mutable("state", state, ScalarType.Float),
              y,
              (int) call.rows,
              (int) call.columns);
      return scope.keep(y);
    }
  }

  private static boolean serves(Inputs in) {
    Tensor like = new Door(OP, in.v()).like();
    return HeadScan.serves(like, in.q().size(3), like.size(3), false);
  }

  /** The inputs, checked. */
  private static final class Call {
    final Door door;
    final Tensor q, k, v, g;
    final @Nullable Tensor initial;
    final long batch, heads, rows, columns;
    final HeadScan scan;

    Call(Inputs in) {
      door = new Door(OP, in.v());
      q = door.rows("q", in.q());
      k = door.rows("k", in.k());
      v = door.rows("v", in.v());
      g = door.state("g", in.g());
      initial = door.stateOrNull("initial", in.initial());
      batch = v.size(0);
      heads = v.size(2);
      rows = q.size(3);
      columns = v.size(3);
      scan = new HeadScan(g, door.beginOrNull(in.begin()), false);
    }

    /** Room for one, (B, H, N, P). */
    Tensor state() {
      return Floats.empty(g, batch, heads, rows, columns);
    }
  }
}
