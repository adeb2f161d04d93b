package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.List;
import org.bmojo.kernels.op.InnovationScore;
import org.bmojo.kernels.token.Innovate;
import org.bmojo.kernels.token.Input;
import org.bmojo.kernels.token.Place;
import org.bmojo.kernels.token.Products;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Linear;
import org.bmojo.layer.Names;
import org.bmojo.tape.KernelOps;
import org.bmojo.tape.Ops;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Innovation: e_j = ‖rms(x_j) − P(y_{j−1})‖² / d, with P a low-rank linear map d → r → d and y_{−1}
 * = 0. P is trained by the mean of e with x and y held constant; nothing else sees that gradient.
 *
 * <p>{@link EideticConfig#scaleFree Scale-free}, P reads rms(y_{j−1}). Of y as it is the gradient
 * grows with its square, and no loss keeps y small: in deep models it became 1000 times what
 * everything else got, and clipping then stopped them (docs/decisions/0012).
 */
final class InnovationScorer implements Scorer {
  final Linear down; // (r, d)
  final Linear up; // (d, r)
  final boolean scaleFree;
  private final boolean differentiable;

  /**
   * @param config r, where 0 stands for max(1, d/16), and what P reads
   * @param differentiable whether whoever uses the scores wants gradients through them
   */
  InnovationScorer(int width, EideticConfig config, boolean differentiable, Initializer init) {
    int r = config.predictorRank() > 0 ? config.predictorRank() : Math.max(1, width / 16);
    down = Linear.create(init, width, r);
    scaleFree = config.scaleFree();
    // Of norm about 1: a prediction starts as small as what it is worth, and so does its gradient.
    double deviation = 1 / Math.sqrt(scaleFree ? width : r);
    up = new Linear(Parameter.decaying(init.normal(deviation, width, r)), null);
    this.differentiable = differentiable;
  }

  @Override
  public Tensor history(long batch) {
    return zeros(down.weight().value(), batch, down.weight().value().size(1));
  }

  @Override
  public Var score(Tape tape, Inputs in) {
    Var y = in.y();
    if (y == null) throw new IllegalStateException("innovation reads the state's output");
    Var held = read(tape, y.detached());
    Tensor last = in.history() == null ? null : in.history().get();
    Var own = score(tape, in.x().detached(), before(tape, held, last, in.packing()));
    tape.addLoss(Ops.mean(tape, own));
    Var used = own.detached();
    if (differentiable && tape.isRecording()) {
      used = score(tape, in.x(), before(tape, read(tape, y), last, in.packing()));
    }
    if (in.history() != null) {
      in.history().set(held.value().select(1, held.value().size(1) - 1).clone());
    }
    return used;
  }

  /** What a prediction is made from. */
  private Var read(Tape tape, Var y) {
    return scaleFree ? KernelOps.rmsNorm(tape, y, null, InnovationScore.EPS) : y;
  }

  /** y_{j−1}, which a document's first token does not have. */
  private static Var before(Tape tape, Var y, @Nullable Tensor last, @Nullable Packing packing) {
    Var delayed = Ops.delay(tape, y, last);
    if (packing == null) return delayed;
    return TorchFunction.apply(tape, t -> packing.own(t[0], 1), delayed);
  }

  private Var score(Tape tape, Var x, Var before) {
    Var predicted = up.forward(tape, down.forward(tape, before));
    return KernelOps.innovationScore(tape, x, predicted);
  }

  @Override
  public boolean plans() {
    return true;
  }

  @Override
  public Stages plan(TokenPlan plan, float[] x, float @Nullable [] y, Place scores, Place history) {
    if (y == null) throw new IllegalStateException("innovation reads the state's output");
    int width = plan.width(), rank = (int) down.weight().value().size(0);
    float[] low = plan.vector(rank), predicted = plan.vector(width);
    var before = new Products(new Input.Held(history, width), plan.set(down, low));
    var prediction = new Products(new Input.Plain(low, rank), plan.set(up, predicted));
    return new Stages(
        List.of(before),
        List.of(prediction),
        new Innovate(x, predicted, y, scaleFree, width, plan.moment(), scores, history));
  }

  @Override
  public void name(Names names) {
    names.in("down", down).in("up", up);
  }
}
