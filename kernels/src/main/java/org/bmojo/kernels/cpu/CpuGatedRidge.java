package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.HeadLayout.PIECE;
import static org.bmojo.kernels.torch.Tensors.as;
import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.op.GatedRidge;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * In three walks: heads forward, for the matrices before every piece; {@link RidgeSolve}, nearly
 * all the work, every piece a task; and for gradients heads backward, by {@link RidgeReverse}.
 *
 * <p>Thirty iterations in float32 magnify rounding: hidden states of a published model end twice as
 * far from float64 as its authors' do, gradients five times. So float32 inputs are solved by the
 * other room, in float64, unless {@code -Dbmojo.ridge.single=true} asks for speed; bfloat16 inputs,
 * whose own rounding is far above that, always here.
 */
public final class CpuGatedRidge implements GatedRidge {
  private static final String SINGLE_PROPERTY = "bmojo.ridge.single";

  private final GatedRidge exact;
  private final boolean single;

  /** With {@code exact} for float32, unless the property says otherwise. */
  public CpuGatedRidge(GatedRidge exact) {
    this(exact, Boolean.getBoolean(SINGLE_PROPERTY));
  }

  /** With {@code exact} for float32 unless {@code single}. */
  public CpuGatedRidge(GatedRidge exact, boolean single) {
    this.exact = exact;
    this.single = single;
  }

  private boolean serves(Inputs in) {
    return single || in.k().scalar_type().intern() != ScalarType.Float;
  }

  @Override
  public Output forward(Inputs in, boolean forBackward) {
    if (!serves(in)) return exact.forward(in, forBackward);
    try (Scope scope = new Scope()) {
      RidgeInputs from = RidgeInputs.of(in);
      HeadLayout layout = from.layout();
      long dim = layout.states();
      Floats z = Floats.like(in.q()), norms = Floats.like(in.g());
      Tensor like = norms.owner();
      Floats last = Floats.of(empty(like, layout.batch(), layout.heads(), dim, dim));
      Floats matrices = Floats.of(empty(like, layout.tasks(), layout.pieces(), dim, dim));
      Cores.forEach(layout.tasks(), task -> advance(from, task, matrices, last));
      RidgeSolve.all(from, matrices, Floats.of(in.q()), z, norms);
      return new Output(
          scope.keep(as(z.owner(), in.q())),
          scope.keep(last.owner()),
          forBackward ? scope.keep(matrices.owner()) : null);
    }
  }

  private static void advance(RidgeInputs in, int task, Floats matrices, Floats last) {
    HeadLayout layout = in.layout();
    RidgePiece piece = new RidgePiece(in);
    if (in.initial() != null) piece.readMatrix(in.initial(), task, piece.matrix);
    double[] exact = new double[piece.matrix.length];
    for (int i = 0; i < exact.length; i++) exact[i] = piece.matrix[i];
    for (int at = 0; at < layout.pieces(); at++) {
      int count = layout.length(at * PIECE);
      piece.writeMatrix(piece.matrix, (long) task * layout.pieces() + at, matrices);
      piece.read(task, at * PIECE, count);
      piece.advance(count, exact);
    }
    piece.writeMatrix(piece.matrix, task, last);
  }

  @Override
  public Gradients backward(Inputs in, Output out, Tensor dz, @Nullable Tensor dLast) {
    if (!serves(in)) return exact.backward(in, out, dz, dLast);
    if (out.checkpoints() == null) {
      throw new IllegalStateException("forward was told no backward follows");
    }
    try (Scope scope = new Scope()) {
      RidgeInputs from = RidgeInputs.of(in);
      Floats matrices = Floats.of(out.checkpoints()), z = Floats.of(out.z());
      Floats norms = Floats.like(in.g());
      Walk walk =
          new Walk(
              from,
              matrices,
              z,
              norms,
              dLast == null ? null : Floats.of(dLast),
              Floats.like(in.q()),
              Floats.like(in.k()),
              Floats.like(in.g()),
              Floats.of(
                  empty(
                      norms.owner(),
                      in.g().size(0),
                      in.g().size(2),
                      in.k().size(3),
                      in.k().size(3))));
      RidgeSolve.all(from, matrices, Floats.of(dz), walk.dq, norms);
      Cores.forEach(from.layout().tasks(), walk::run);
      return new Gradients(
          scope.keep(as(walk.dq.owner(), in.q())),
          scope.keep(as(walk.dk.owner(), in.k())),
          scope.keep(as(walk.dg.owner(), in.g())),
          scope.keep(walk.dInitial.owner()));
    }
  }

  /** What the walk back reads, and the gradients, of which dq is there already. */
  private record Walk(
      RidgeInputs in,
      Floats matrices,
      Floats z,
      Floats norms,
      @Nullable Floats dLast,
      Floats dq,
      Floats dk,
      Floats dg,
      Floats dInitial) {
    /** One head of one sequence, from its last piece to its first. */
    void run(int task) {
      HeadLayout layout = in.layout();
      RidgePiece piece = new RidgePiece(in);
      RidgeReverse reverse = new RidgeReverse(piece);
      if (dLast != null) piece.readMatrix(dLast, task, reverse.gradient);
      for (int at = layout.pieces() - 1; at >= 0; at--) {
        int from = at * PIECE, count = layout.length(from);
        piece.readMatrix(matrices, (long) task * layout.pieces() + at, piece.matrix);
        piece.read(task, from, count);
        piece.read(dq, task, from, count, reverse.u);
        piece.read(z, task, from, count, reverse.w);
        for (int t = 0; t < count; t++) {
          reverse.direct(t, in.solver(), norms.get(layout.numberAt(task, from + t)));
        }
        reverse.run(count);
        layout.rows(dk, task, piece.dim).write(from, count, reverse.dk, piece.stride);
        for (int t = 0; t < count; t++) dg.set(layout.numberAt(task, from + t), reverse.dg[t]);
      }
      piece.writeMatrix(reverse.gradient, task, dInitial);
    }
  }

  @Override
  public Tensor step(Inputs in, Tensor state) {
    if (!serves(in)) return exact.step(in, state);
    try (Scope scope = new Scope()) {
      Output out = forward(new Inputs(in.solver(), in.q(), in.k(), in.g(), state), false);
      state.copy_(out.last());
      return scope.keep(out.z());
    }
  }
}
