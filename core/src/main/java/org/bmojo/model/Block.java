package org.bmojo.model;

import org.bmojo.kernels.token.Input;
import org.bmojo.kernels.token.Products;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.layer.Experts;
import org.bmojo.layer.Initializer;
import org.bmojo.layer.Mlp;
import org.bmojo.layer.Names;
import org.bmojo.layer.Norm;
import org.bmojo.mixer.BMojo;
import org.bmojo.mixer.MixerState;
import org.bmojo.mixer.Packing;
import org.bmojo.mixer.TokenPlan;
import org.bmojo.model.BlockConfig.ExpertsConfig;
import org.bmojo.tape.Ops;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Pre-norm residual block. */
final class Block implements Names.Named {
  final Norm mixerNorm;
  final BMojo mixer;
  final @Nullable Norm mlpNorm;
  final @Nullable Mlp mlp;
  private final @Nullable Experts experts;

  Block(BlockConfig config, int width, double eps, Initializer init) {
    mixerNorm = Norm.create(init, width, eps);
    mixer = new BMojo(config.mixer(), width, init);
    mlpNorm = config.mlp() == 0 ? null : Norm.create(init, width, eps);
    ExpertsConfig several = config.experts();
    boolean one = config.mlp() > 0 && several == null;
    mlp = one ? Mlp.create(init, width, config.mlp(), config.mlpBias()) : null;
    experts =
        several == null
            ? null
            : Experts.create(
                init,
                width,
                config.mlp(),
                several.count(),
                several.chosen(),
                several.renormalised());
  }

  /** (B, T, d) → (B, T, d). */
  Var forward(Tape tape, Var x, @Nullable Packing packing, @Nullable MixerState state) {
    try (Scope scope = new Scope()) {
      Var even = mixerNorm.forward(tape, x);
      Var mixed = mixer.forward(tape, even, packing, state);
      mixerNorm.spare(tape, x, even);
      Var out = perceive(tape, Ops.add(tape, x, mixed));
      scope.keep(out.value());
      return out;
    }
  }

  /** The same of the last position only, (B, T, d) → (B, 1, d), with all read by the state. */
  Tensor last(Tape tape, Tensor x, @Nullable MixerState state) {
    try (Scope scope = new Scope()) {
      Var in = Var.constant(x);
      Tensor mixed = mixer.forward(tape, mixerNorm.forward(tape, in), null, state).value();
      long end = x.size(1) - 1;
      Tensor sum = x.narrow(1, end, 1).add(mixed.narrow(1, end, 1));
      return scope.keep(perceive(tape, Var.constant(sum)).value());
    }
  }

  /** (B, 1, d) → (B, 1, d). */
  Tensor step(Tensor x, MixerState state) {
    try (Scope scope = new Scope();
        Tape tape = Tape.off()) {
      Tensor mixed = mixer.step(mixerNorm.forward(tape, Var.constant(x)).value(), state);
      return scope.keep(perceive(tape, Var.constant(x.add(mixed))).value());
    }
  }

  /** Whether {@link #plan} can say how a step is done. */
  boolean plans() {
    return experts == null && mixer.plans();
  }

  /** Adds to {@code plan} what {@link #step} does to {@code x} (d) of one sequence. */
  void plan(TokenPlan plan, float[] x) {
    mixer.plan(plan, mixerNorm, x);
    if (mlpNorm == null || mlp == null) return;
    int inner = (int) mlp.gate().weight().value().size(0);
    float[] gate = plan.vector(inner), up = plan.vector(inner);
    plan.add(
        new Products(plan.normed(mlpNorm, x), plan.set(mlp.gate(), gate), plan.set(mlp.up(), up)));
    plan.add(new Products(new Input.Gated(gate, up, inner), plan.add(mlp.down(), x, null)));
  }

  private Var perceive(Tape tape, Var x) {
    if (mlpNorm == null) return x;
    Var even = mlpNorm.forward(tape, x);
    if (experts != null) return Ops.add(tape, x, experts.forward(tape, even));
    if (mlp == null) return x;
    Var seen = mlp.forward(tape, even);
    mlpNorm.spare(tape, x, even);
    return Ops.add(tape, x, seen);
  }

  @Override
  public void name(Names names) {
    names
        .in("mixer_norm", mixerNorm)
        .in("mixer", mixer)
        .in("mlp_norm", mlpNorm)
        .in("mlp", mlp)
        .in("mlp", experts);
  }
}
