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
 * Forward one kernel for all keys ({@link JointForward}); flash attention where there is a window
 * alone. Backward flash attention for window and fading keys and {@link EideticPart} for the
 * eidetic ones, each with the joint output and log-sum-exp, which makes its gradients those of the
 * one softmax.
 *
 * <p>Flash attention ends every query's view at its own key. Fading keys begin W before that, so
 * the last W keys are left out of that call: the ends then meet. Types and head sizes that these do
 * not serve (float32) take the reference's composition, on the GPU as well.
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
      Geometry g = in.geometry();
      Tensor q = door.activation("q", in.q()), d = door.activation("dOut", dOut);
      Tensor out = door.activation("out", forward.out());
      Tensor lines = door.state("log-sum-exp", forward.logSumExp());
      var joint = new Flash.Part(out, lines.transpose(1, 2).contiguous());
      Stream w = dense(door, "window", in.window());
      var window = Flash.backward(d, q, w.k(), w.v(), joint, g.scale(), back(g.window()));
      Far far = Far.of(in);
      Stream dFading = null;
      if (far != null) {
        var part = far.backward(d, q, joint, g);
        window.q().add_(part.q());
        dFading = new Stream(scope.keep(far.whole(part.k())), scope.keep(far.whole(part.v())));
      } else if (in.fading() != null) {
        dFading =
            new Stream(scope.keep(zeros(in.fading().k())), scope.keep(zeros(in.fading().v())));
      }
      Eidetic eidetic = remembered(in), dEidetic = null;
      if (eidetic != null) {
        dEidetic = new EideticPart(door, g, eidetic).backward(new Output(out, lines), d);
      } else if (in.eidetic() != null) {
        Eidetic e = in.eidetic();
        dEidetic = new Eidetic(zeros(e.q()), zeros(e.k()), zeros(e.v()), zeros(e.bias()));
      }
      if (dEidetic != null) {
        scope.keep(dEidetic.q());
        scope.keep(dEidetic.k());
        scope.keep(dEidetic.v());
        scope.keep(dEidetic.bias());
      }
      return new Gradients(
          scope.keep(window.q()),
          new Stream(scope.keep(window.k()), scope.keep(window.v())),
          dFading,
          dEidetic);
    }
  }

  private static boolean serves(Inputs in) {
    return Flash.serves(in.q()) && (plain(in) || in.q().size(3) <= JointForward.WIDEST);
  }

  /** Whether queries see a window's keys alone. */
  private static boolean plain(Inputs in) {
    return remembered(in) == null && Far.of(in) == null;
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
          .kernel("step")
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

  /**
   * The fading keys that any query sees: without the last W. The first queries may see none.
   *
   * @param length how many they are
   */
  private record Far(Stream stream, long length) {
    static @Nullable Far of(Inputs in) {
      Stream stream = in.fading();
      int window = in.geometry().window();
      if (stream == null || window == UNBOUNDED || in.geometry().fading() == 0) return null;
      long length = stream.k().size(1) - window;
      return length <= 0 ? null : new Far(stream, length);
    }

    Flash.Gradients backward(Tensor d, Tensor q, Flash.Part joint, Geometry g) {
      Tensor k = keys(stream.k()), v = keys(stream.v());
      return Flash.backward(d, q, k, v, joint, g.scale(), g.fading() - 1);
    }

    private Tensor keys(Tensor t) {
      return t.narrow(1, 0, length);
    }

    /** A gradient with the zeros of the keys left out. */
    Tensor whole(Tensor part) {
      try (Scope scope = new Scope()) {
        Tensor all = empty(part, Shapes.of(stream.k()));
        all.narrow(1, 0, length).copy_(part);
        all.narrow(1, length, stream.k().size(1) - length).zero_();
        return scope.keep(all);
      }
    }
  }
}
