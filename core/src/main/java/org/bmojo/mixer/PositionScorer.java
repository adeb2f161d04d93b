package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.accumulation;

import java.util.function.LongToDoubleFunction;
import org.bmojo.kernels.token.Note;
import org.bmojo.kernels.token.Place;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Tensors;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** The controls: a score that depends on nothing but the token's position. */
final class PositionScorer implements Scorer {
  private final LongToDoubleFunction rule;

  private PositionScorer(LongToDoubleFunction rule) {
    this.rule = rule;
  }

  /** A fixed pseudo-random number in [0, 1) per position and seed. */
  static PositionScorer random(long seed) {
    return new PositionScorer(p -> (mix(seed ^ mix(p)) >>> 40) / (double) (1L << 24));
  }

  /** The newest. */
  static PositionScorer recent() {
    return new PositionScorer(p -> p);
  }

  /** How often 2 divides the position (0 most of all): what survives is spread evenly. */
  static PositionScorer stride() {
    return new PositionScorer(p -> p == 0 ? 64 : Long.numberOfTrailingZeros(p));
  }

  /** Nothing. */
  static PositionScorer none() {
    return new PositionScorer(p -> Double.NEGATIVE_INFINITY);
  }

  /** The score of the token at {@code position}. */
  double at(long position) {
    return rule.applyAsDouble(position);
  }

  @Override
  public Var score(Tape tape, Inputs in) {
    try (Scope scope = new Scope()) {
      Tensor x = in.x().value();
      int batch = (int) x.size(0), tokens = (int) x.size(1);
      double[] scores = new double[batch * tokens];
      for (int i = 0; i < scores.length; i++) {
        scores[i] = at(in.positions().of(i / tokens) + i % tokens);
      }
      Tensor all = Tensors.of(scores).to(x.device(), accumulation(x));
      return Var.constant(scope.keep(all.reshape(batch, tokens)));
    }
  }

  @Override
  public boolean plans() {
    return true;
  }

  @Override
  public Stages plan(TokenPlan plan, float[] x, float @Nullable [] y, Place scores, Place history) {
    return Stages.just(new Note(rule, plan.moment(), scores));
  }

  /** A bijection of 64 bits that leaves no pattern (the finaliser of SplitMix64). */
  private static long mix(long v) {
    v = (v + 0x9E3779B97F4A7C15L);
    v = (v ^ (v >>> 30)) * 0xBF58476D1CE4E5B9L;
    v = (v ^ (v >>> 27)) * 0x94D049BB133111EBL;
    return v ^ (v >>> 31);
  }
}
