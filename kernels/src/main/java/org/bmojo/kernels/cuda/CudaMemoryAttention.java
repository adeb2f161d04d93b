package org.bmojo.kernels.cuda;

import static org.bmojo.kernels.torch.Tensors.empty;

import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.MemoryAttention;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * All keys in one kernel forward ({@link JointForward}), three backward ({@link JointBackward});
 * flash attention where there is a window alone and one document a row. Types and head sizes that
 * these do not serve (float32) take the reference's composition, on the GPU as well.
 */
public final class CudaMemoryAttention implements MemoryAttention {
  private static final String OP = "memory attention";
  private static final int STEP_THREADS = 128;

  private final MemoryAttention composed;

  /**
   * A room's attention.
   *
   * @param composed serves what flash attention does not
   */
  public CudaMemoryAttention(MemoryAttention composed) {
    this.composed = composed;
  }

  @Override
  public Output forward(Inputs in) {
    Door door = new Door(OP, in.q());
    if (!serves(in)) return composed.forward(in);
    if (!plain(in)) return JointForward.run(door, in);
    try (Scope scope = new Scope()) {
      Tensor q = door.activation("q", in.q());
      Stream w = dense(door, "window", in.window());
      Geometry g = in.geometry();
      Flash.Part part = Flash.forward(q, w.k(), w.v(), g.scale(), back(g.window()));
      return new Output(
          scope.keep(part.out()), scope.keep(part.logSumExp().transpose(1, 2).contiguous()));
    }
  }

  @Override
  public Gradients backward(Inputs in, Output forward, Tensor dOut) {
    Door door = new Door(OP, in.q());
    if (!serves(in)) return composed.backward(in, forward, dOut);
    Shapes.expect(OP + " backward", "dOut", dOut, Shapes.of(in.q()));
    try (Scope scope = new Scope()) {
      Tensor d = door.activation("dOut", dOut), out = door.activation("out", forward.out());
      Tensor lines = door.state("log-sum-exp", forward.logSumExp());
      Gradients gradients =
          plain(in)
              ? withoutMemory(door, in, new Output(out, lines), d)
              : new JointBackward(door, in).run(new Output(out, lines), d);
      return keep(scope, in, gradients);
    }
  }

  private static Gradients withoutMemory(Door door, Inputs in, Output joint, Tensor dOut) {
    Tensor q = door.activation("q", in.q());
    Stream w = dense(door, "window", in.window());
    var part = new Flash.Part(joint.out(), joint.logSumExp().transpose(1, 2).contiguous());
    double scale = in.geometry().scale();
    var g = Flash.backward(dOut, q, w.k(), w.v(), part, scale, back(in.geometry().window()));
    return new Gradients(g.q(), new Stream(g.k(), g.v()), null, null);
  }

  /** Hands gradients to the surrounding scope, with zeros for what nobody saw. */
  private static Gradients keep(Scope scope, Inputs in, Gradients g) {
    Stream fading = g.fading();
    if (fading == null && in.fading() != null) {
      fading = new Stream(torch.zeros_like(in.fading().k()), torch.zeros_like(in.fading().v()));
    }
    Eidetic eidetic = g.eidetic(), given = in.eidetic();
    if (eidetic == null && given != null) {
      eidetic =
          new Eidetic(
              torch.zeros_like(given.q()),
              torch.zeros_like(given.k()),
              torch.zeros_like(given.v()),
              torch.zeros_like(given.bias()));
    }
    scope.keep(g.q());
    scope.keep(g.window().k());
    scope.keep(g.window().v());
    if (fading != null) {
      scope.keep(fading.k());
      scope.keep(fading.v());
    }
    if (eidetic != null) {
      scope.keep(eidetic.q());
      scope.keep(eidetic.k());
      scope.keep(eidetic.v());
      scope.keep(eidetic.bias());
    }
    return new Gradients(g.q(), g.window(), fading, eidetic);
  }

  private static boolean serves(Inputs in) {
    boolean narrow = in.q().size(3) <= JointForward.WIDEST && in.geometry().scale() > 0;
    return Flash.serves(in.q()) && (plain(in) || narrow);
  }

  /** Whether queries see a window's keys alone, of one document. */
  private static boolean plain(Inputs in) {
    return remembered(in) == null && faded(in) == null && in.begin() == null;
  }

  /** The fading stream unless none of it is seen. */
  static @Nullable Stream faded(Inputs in) {
    return in.geometry().fading() == 0 ? null : in.fading();
  }

  /** Eidetic memory unless it has no slots. */
  static @Nullable Eidetic remembered(Inputs in) {
    Eidetic eidetic = in.eidetic();
    return eidetic == null || eidetic.k().size(2) == 0 ? null : eidetic;
  }

  @Override
  public Tensor step(StepInputs in) {
    try (Scope scope = new Scope()) {
      Door door = new Door(OP, in.q());
      Tensor q = door.activation("q", in.q());
      Stream window = dense(door, "window", in.window());
      Stream fading = in.fading() == null ? null : dense(door, "fading", in.fading());
      Eidetic eidetic = in.eidetic();
      Tensor out = empty(q, Shapes.of(q));
      Tensor positions = Tensor.create(in.positions(), in.positions().length);
      Program.of(
              q,
              "attention_step",
              "ELEMENT=" + Program.type(q),
              "D=" + q.size(2),
              "THREADS=" + STEP_THREADS)
          .kernel("attention_step")
          .launch(
              new Grid(q.size(1), q.size(0), 1, STEP_THREADS, 0),
              q,
              positions.to(q.device(), ScalarType.Long),
              window.k(),
              window.v(),
              (int) window.k().size(1),
              in.geometry().window(),
              fading == null ? null : fading.k(),
              fading == null ? null : fading.v(),
              fading == null ? 0 : (int) fading.k().size(1),
              fading == null ? 0 : in.geometry().fading(),
              eidetic == null ? null : door.activation("eidetic q", eidetic.q()),
              eidetic == null ? null : door.activation("eidetic k", eidetic.k()),
              eidetic == null ? null : door.activation("eidetic v", eidetic.v()),
              eidetic == null ? null : door.state("bias", eidetic.bias().to(ScalarType.Float)),
              eidetic == null ? 0 : (int) eidetic.k().size(1),
              (int) window.k().size(2),
              (float) in.geometry().scale(),
              out);
      return scope.keep(out);
    }
  }

  /** Keys before its own that a query of this window sees; −1 for all. */
  private static long back(int window) {
    return window == UNBOUNDED ? -1 : window - 1;
  }

  private static Tensor zeros(Tensor t) {
    return torch.zeros_like(t);
  }

  private static Stream dense(Door door, String name, Stream s) {
    return new Stream(door.activation(name + " k", s.k()), door.activation(name + " v", s.v()));
  }
}
