package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.cat;

import org.bmojo.kernels.op.MemoryAttention;
import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.KernelOps.EideticVars;
import org.bmojo.tape.KernelOps.StreamVars;
import org.bmojo.tape.Ops;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Attention whose fading keys are read by queries of their own, by means of the one with a single
 * query: both queries side by side, and each stream's keys beside zeros where the other's query
 * stands.
 *
 * <pre>
 *   (q, q′) · (k, 0) = q·k          (q, q′) · (0, k′) = q′·k′
 * </pre>
 *
 * Heads twice as wide cost twice as much, which is well spent: no published checkpoint is untied.
 */
final class TwoQueries {
  private TwoQueries() {}

  static Var attend(
      Tape tape,
      Geometry geometry,
      Var q,
      Var fadingQ,
      StreamVars window,
      StreamVars fading,
      @Nullable EideticVars eidetic,
      @Nullable Tensor begin) {
    Var heads =
        KernelOps.memoryAttention(
            tape,
            geometry,
            Ops.beside(tape, q, fadingQ),
            new StreamVars(before(tape, window.k()), before(tape, window.v()), past(window, true)),
            new StreamVars(after(tape, fading.k()), before(tape, fading.v()), past(fading, false)),
            eidetic == null
                ? null
                : new EideticVars(
                    before(tape, eidetic.q()),
                    before(tape, eidetic.k()),
                    before(tape, eidetic.v()),
                    eidetic.bias()),
            begin);
    return Ops.columns(tape, heads, 0, q.value().size(-1));
  }

  /** One token; {@code fadingQ} is (B, H, D). */
  static Tensor step(MemoryAttention op, MemoryAttention.StepInputs in, Tensor fadingQ) {
    MemoryAttention.Stream window = in.window(), fading = in.fading();
    MemoryAttention.Eidetic e = in.eidetic();
    Tensor heads =
        op.step(
            new MemoryAttention.StepInputs(
                in.geometry(),
                cat(-1, in.q(), fadingQ),
                in.positions(),
                new MemoryAttention.Stream(before(window.k()), before(window.v())),
                fading == null
                    ? null
                    : new MemoryAttention.Stream(after(fading.k()), before(fading.v())),
                e == null
                    ? null
                    : new MemoryAttention.Eidetic(
                        before(e.q()), before(e.k()), before(e.v()), e.bias())));
    return heads.narrow(-1, 0, fadingQ.size(-1));
  }

  private static MemoryAttention.@Nullable Stream past(StreamVars s, boolean first) {
    MemoryAttention.Stream past = s.past();
    if (past == null) return null;
    return new MemoryAttention.Stream(first ? before(past.k()) : after(past.k()), before(past.v()));
  }

  /** (t, 0). */
  private static Tensor before(Tensor t) {
    return cat(-1, t, torch.zeros_like(t));
  }

  /** (0, t). */
  private static Tensor after(Tensor t) {
    return cat(-1, torch.zeros_like(t), t);
  }

  private static Var before(Tape tape, Var x) {
    return Ops.beside(tape, x, zeros(x));
  }

  private static Var after(Tape tape, Var x) {
    return Ops.beside(tape, zeros(x), x);
  }

  private static Var zeros(Var x) {
    return Var.constant(torch.zeros_like(x.value()));
  }
}
