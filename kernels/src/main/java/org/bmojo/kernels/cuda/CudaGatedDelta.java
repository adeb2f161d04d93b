package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.cuda.HeadScan.Dotted;
import org.bmojo.kernels.cuda.HeadScan.Operand;
import org.bmojo.kernels.cuda.HeadScan.Parts;
import org.bmojo.kernels.cuda.HeadScan.Room;
import org.bmojo.kernels.cuda.HeadScan.Want;
import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.GatedDelta;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * {@code gated_delta.cu}, and {@code ssd.cu} for what follows from it in backward. Checkpoints are
 * what each token found missing in the state, (B, T, H, P) float32. States too large for the
 * kernels' registers are left to another room.
 */
public final class CudaGatedDelta implements GatedDelta {
  private static final String OP = "gated delta rule";
  private static final int CHUNK = 64, THREADS = 128;

  private final GatedDelta otherwise;

  /** With {@code otherwise} for states of more than 128 rows or columns. */
  public CudaGatedDelta(GatedDelta otherwise) {
    this.otherwise = otherwise;
  }

  @Override
  public Output forward(Inputs in, boolean forBackward) {
    if (!serves(in)) return otherwise.forward(in, forBackward);
    try (Scope scope = new Scope()) {
      Call call = new Call(in);
      Tensor y = empty(call.v, Shapes.of(call.v)), missing = call.written(), last = call.state();
      call.walk(
          "delta_forward",
          false,
          call.q,
          call.k,
          call.v,
          call.strength,
          call.g,
          call.begin,
          call.inverses(false),
          call.initial,
          y,
          missing,
          last,
          call.tokens,
          (int) call.heads,
          (int) call.rows,
          (int) call.columns,
          (int) call.chunks());
      return new Output(scope.keep(y), scope.keep(last), forBackward ? scope.keep(missing) : null);
    }
  }

  @Override
  public Gradients backward(
      Inputs in, @Nullable Tensor checkpoints, Tensor dy, @Nullable Tensor dLast) {
    if (checkpoints == null) {
      throw new IllegalStateException("forward was told no backward follows");
    }
    if (!serves(in)) return otherwise.backward(in, checkpoints, dy, dLast);
    try (Scope scope = new Scope()) {
      Call call = new Call(in);
      Tensor d = call.door.activation("dy", dy), ends = call.door.stateOrNull("dLast", dLast);
      Tensor missing = call.door.state("checkpoints", checkpoints);
      Tensor dv = empty(call.v, Shapes.of(call.v)), du = call.written(), dInitial = call.state();
      Tensor dBeta = Floats.empty(call.g, call.shares(), call.batch, call.heads, call.tokens);
      call.walk(
          "delta_backward",
          true,
          call.q,
          call.k,
          d,
          call.strength,
          call.g,
          call.begin,
          call.inverses(true),
          missing,
          ends,
          dv,
          du,
          dBeta,
          dInitial,
          call.tokens,
          (int) call.heads,
          (int) call.rows,
          (int) call.columns,
          (int) call.chunks());
      Reads reads = new Reads(call, new Operand(missing, call.strength), du, d, ends);
      return new Gradients(
          scope.keep(reads.dq.out()),
          scope.keep(reads.dk),
          scope.keep(dv),
          scope.keep(as(dBeta.sum(0).transpose(1, 2), in.beta()).contiguous()),
          scope.keep(reads.dg),
          scope.keep(dInitial));
    }
  }

  /** The gradients of what is read from the state and of the keys that write it. */
  private static final class Reads {
    final Dotted dq;
    final Tensor dk, dg;

    /**
     * Of tokens that have written.
     *
     * @param wrote (B, T, H, P)
     * @param du its gradient
     */
    Reads(Call call, Operand wrote, Tensor du, Tensor dy, @Nullable Tensor ends) {
      HeadScan scan = call.scan;
      Tensor k = call.k, q = call.q;
      Operand slopes = new Operand(dy, null), took = new Operand(du, call.strength.neg());
      dq = scan.dotted(new Parts(slopes, wrote, k, false, true), q, call.initial, ends);
      Tensor wide = Floats.empty(call.g, Shapes.of(k));
      dk = empty(k, Shapes.of(k));
      Parts written = new Parts(wrote, slopes, q, true, true);
      Dotted one = scan.dotted(written, Want.DOTS, wide, null, k, ends, null);
      Dotted two = scan.others(new Parts(wrote, took, k, true, true), wide, wide, k, null);
      Parts recalled = new Parts(took, wrote, k, false, true);
      Dotted three = scan.others(recalled, dk, wide, k, call.initial);
      dg =
          scan.decays(
              call.v,
              cat(0, dq.dots(), three.dots()),
              cat(0, one.dots(), two.dots()),
              dq.anchors());
    }
  }

  @Override
  public Tensor step(Inputs in, Tensor state) {
    try (Scope scope = new Scope()) {
      Call call = new Call(in);
      Shapes.expect(OP, "state", state, call.batch, call.heads, call.rows, call.columns);
      Tensor y = empty(call.v, Shapes.of(call.v));
      Program.of(call.v, "head_states", "ELEMENT=" + Program.type(call.v))
          .kernel("delta_step")
          .launch(
              new Grid((call.columns + 31) / 32, call.batch * call.heads, 1, 256, 0),
              call.q,
              call.k,
              call.v,
              call.strength,
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
    return HeadScan.serves(like, in.q().size(3), like.size(3), true)
        && room(in).bytes(1, 1) <= Device.of(like).shared() - Room.DECAYS;
  }

  private static Room room(Inputs in) {
    return new Room(in.v(), in.q().size(3), in.v().size(3), 1, 1, 2);
  }

  /** The inputs, checked and dense. */
  private static final class Call {
    final Door door;
    final Tensor q, k, v, g, strength;
    final @Nullable Tensor initial, begin;
    final long batch, tokens, heads, rows, columns;
    final HeadScan scan;
    final Room room;

    Call(Inputs in) {
      door = new Door(OP, in.v());
      q = door.activation("q", in.q());
      k = door.activation("k", in.k());
      v = door.activation("v", in.v());
      g = door.state("g", in.g());
      strength = door.weight("beta", in.beta()).to(ScalarType.Float);
      initial = door.stateOrNull("initial", in.initial());
      begin = door.beginOrNull(in.begin());
      batch = v.size(0);
      tokens = v.size(1);
      heads = v.size(2);
      rows = q.size(3);
      columns = v.size(3);
      scan = new HeadScan(g, begin, true);
      room = room(in);
    }

    long chunks() {
      return (tokens + CHUNK - 1) / CHUNK;
    }

    long shares() {
      return (columns + CHUNK - 1) / CHUNK;
    }

    /** Room for a state, (B, H, N, P). */
    Tensor state() {
      return Floats.empty(g, batch, heads, rows, columns);
    }

    /** Room for what tokens write, (B, T, H, P). */
    Tensor written() {
      return Floats.empty(g, batch, tokens, heads, columns);
    }

    private Program program(boolean reversed) {
      return Program.of(
          v,
          "gated_delta",
          "ELEMENT=" + Program.type(v),
          "KEYS_TO=" + room.keysTo(),
          "COLUMNS=" + room.columnsOfBlock(),
          "ALIGNED=" + room.aligned(),
          "REVERSED=" + (reversed ? 1 : 0),
          "STAGES=" + room.stages(1),
          "RESIDENT=" + Room.resident(v));
    }

    /** (B, H, chunks, 64, 64), for a walk. */
    Tensor inverses(boolean reversed) {
      Tensor inverses = Floats.empty(g, batch, heads, chunks(), CHUNK, CHUNK);
      long planes = v.element_size() == 2 ? 1 : 3, pitch = room.keysTo() + 8;
      int shared = (int) (4 * CHUNK * (CHUNK + 4) + 2 * planes * CHUNK * pitch);
      Program.of(
              v,
              "delta_inverses",
              "ELEMENT=" + Program.type(v),
              "KEYS_TO=" + room.keysTo(),
              "ALIGNED=" + room.aligned())
          .kernel("delta_inverses")
          .launch(
              new Grid(chunks(), batch * heads, 1, THREADS, shared),
              k,
              strength,
              g,
              begin,
              inverses,
              tokens,
              (int) heads,
              (int) rows,
              reversed ? 1 : 0);
      return inverses;
    }

    void walk(String kernel, boolean reversed, @Nullable Object... arguments) {
      int shared = room.bytes(room.stages(1), 1);
      program(reversed)
          .kernel(kernel)
          .launch(new Grid(shares(), 1, batch * heads, THREADS, shared), arguments);
    }
  }
}
