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
 * Window and fading keys by flash attention, eidetic keys by {@link EideticPart}, merged by their
 * log-sum-exp. The backward pass gives each part the joint output and log-sum-exp, which makes its
 * gradients those of the one softmax.
 *
 * <p>Flash attention ends every query's view at its own key. Fading keys begin W before that, so
 * the last W keys are left out of that call: the ends then meet. Types and head sizes that flash
 * attention does not serve (float32) take the reference's composition, on the GPU as well.
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
    if (!Flash.serves(in.q())) return composed.forward(in);
    try (Scope scope = new Scope()) {
      Tensor q = door.activation("q", in.q());
      double scale = in.geometry().scale();
      Stream w = dense(door, "window", in.window());
      Flash.Part window = Flash.forward(q, w.k(), w.v(), scale, back(in.geometry().window()));
      Far far = Far.of(in);
      Flash.Part fading = null;
      if (far != null) {
        fading =
            Flash.forward(
                far.rows(q),
                far.keys(far.stream.k()),
                far.keys(far.stream.v()),
                scale,
                in.geometry().fading() - 1);
      }
      Flash.Part eidetic =
          in.eidetic() == null ? null : new EideticPart(in.geometry(), in.eidetic()).forward();
      Output out = merge(q, window, fading, far == null ? 0 : far.from, eidetic);
      scope.keep(out.out());
      scope.keep(out.logSumExp());
      return out;
    }
  }

  private static Output merge(
      Tensor q,
      Flash.Part window,
      Flash.@Nullable Part fading,
      long from,
      Flash.@Nullable Part eidetic) {
    try (Scope scope = new Scope()) {
      long batch = q.size(0), tokens = q.size(1), heads = q.size(2), dim = q.size(3);
      Tensor out = empty(q, Shapes.of(q)), logSumExp = Floats.empty(q, batch, tokens, heads);
      Program.of(q, "attention_merge", "ELEMENT=" + Program.type(q), "VECTOR=8")
          .kernel("merge")
          .launch(
              new Grid((q.numel() / 8 + 255) / 256, 256),
              window.out(),
              window.logSumExp(),
              fading == null ? null : fading.out(),
              fading == null ? null : fading.logSumExp(),
              from,
              eidetic == null ? null : eidetic.out(),
              eidetic == null ? null : eidetic.logSumExp(),
              out,
              logSumExp,
              q.numel(),
              tokens,
              (int) heads,
              (int) dim);
      return new Output(scope.keep(out), scope.keep(logSumExp));
    }
  }

  @Override
  public Gradients backward(Inputs in, Output forward, Tensor dOut) {
    Door door = new Door(OP, in.q());
    if (!Flash.serves(in.q())) return composed.backward(in, forward, dOut);
    try (Scope scope = new Scope()) {
      Geometry g = in.geometry();
      Tensor q = door.activation("q", in.q()), d = door.activation("dOut", dOut);
      Tensor byHead = forward.logSumExp().transpose(1, 2).contiguous(); // (B, H, T)
      Stream w = dense(door, "window", in.window());
      var window =
          Flash.backward(
              d,
              q,
              w.k(),
              w.v(),
              new Flash.Part(forward.out(), byHead),
              g.scale(),
              back(g.window()));
      Tensor dq = window.q();
      Far far = Far.of(in);
      Stream fading = in.fading(), dFading = null;
      if (fading != null) {
        Tensor dk = torch.zeros_like(fading.k()), dv = torch.zeros_like(fading.v());
        if (far != null) {
          var joint =
              new Flash.Part(
                  far.rows(forward.out()), byHead.narrow(2, far.from, far.count).contiguous());
          var part =
              Flash.backward(
                  far.rows(d),
                  far.rows(q),
                  far.keys(fading.k()),
                  far.keys(fading.v()),
                  joint,
                  g.scale(),
                  g.fading() - 1);
          // In float32: one rounding of the sum, not two.
          dq = dq.to(ScalarType.Float);
          far.rows(dq).add_(part.q());
          dq = dq.to(q.scalar_type());
          far.keys(dk).copy_(part.k());
          far.keys(dv).copy_(part.v());
        }
        dFading = new Stream(scope.keep(dk), scope.keep(dv));
      }
      Eidetic eidetic = in.eidetic(), dEidetic = null;
      if (eidetic != null) {
        Tensor along = d.to(ScalarType.Float).mul(forward.out().to(ScalarType.Float)).sum(-1);
        dEidetic = new EideticPart(g, eidetic).backward(d, along, forward.logSumExp());
        scope.keep(dEidetic.q());
        scope.keep(dEidetic.k());
        scope.keep(dEidetic.v());
        scope.keep(dEidetic.bias());
      }
      return new Gradients(
          scope.keep(dq),
          new Stream(scope.keep(window.k()), scope.keep(window.v())),
          dFading,
          dEidetic);
    }
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

  private static Stream dense(Door door, String name, Stream s) {
    return new Stream(door.activation(name + " k", s.k()), door.activation(name + " v", s.v()));
  }

  /** The queries that see fading keys at all, and the keys they end at. */
  private record Far(Stream stream, long from, long count, long length) {
    static @Nullable Far of(Inputs in) {
      Stream stream = in.fading();
      int window = in.geometry().window();
      if (stream == null || window == UNBOUNDED || in.geometry().fading() == 0) return null;
      long tokens = in.q().size(1), past = stream.k().size(1) - tokens;
      long from = Math.max(0, window - past), length = past + tokens - window;
      return length <= 0 || from >= tokens ? null : new Far(stream, from, tokens - from, length);
    }

    Tensor rows(Tensor t) {
      return t.narrow(1, from, count);
    }

    Tensor keys(Tensor t) {
      return t.narrow(1, 0, length);
    }
  }
}
