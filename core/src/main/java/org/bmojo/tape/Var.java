package org.bmojo.tape;

import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A tensor that operations on a {@link Tape} read and make; after the backward pass, its gradient.
 */
public sealed class Var permits Parameter {
  private Tensor value;
  private final boolean needsGradient;
  private @Nullable Tensor gradient;
  private boolean ownsGradient;

  Var(Tensor value, boolean needsGradient) {
    this.value = value;
    this.needsGradient = needsGradient;
  }

  /** A value without a gradient. */
  public static Var constant(Tensor value) {
    return new Var(value, false);
  }

  /** A value whose gradient is wanted although no operation made it: where a pass begins. */
  public static Var leaf(Tensor value) {
    return new Var(value, true);
  }

  /** The tensor; valid while the scope that was open when it was made is. */
  public Tensor value() {
    return value;
  }

  final void setValue(Tensor next) {
    value = next;
  }

  /** The same value as a constant: gradients stop here. */
  public Var detached() {
    return constant(value());
  }

  /** Whether {@link #addGradient} keeps anything. */
  public boolean needsGradient() {
    return needsGradient;
  }

  /** What flowed here, or null where nothing did. */
  public @Nullable Tensor gradient() {
    return gradient;
  }

  /** Adds to the gradient; called by operations' backward passes. */
  public void addGradient(Tensor g) {
    add(g, false);
  }

  /**
   * The same with a tensor that the caller made for this and keeps no hold on: later additions may
   * go into it.
   */
  public void giveGradient(Tensor g) {
    add(g, true);
  }

  void add(Tensor g, boolean given) {
    if (!needsGradient) return;
    Tensor before = gradient;
    if (before == null) {
      // Kept as it is; if perhaps shared with another variable, the next addition makes a copy.
      gradient = g;
      g.retainReference();
      ownsGradient = given;
    } else if (ownsGradient) {
      before.add_(g);
    } else {
      Tensor sum = before.add(g);
      sum.retainReference();
      before.releaseReference();
      gradient = sum;
      ownsGradient = true;
    }
  }

  /**
   * The gradient so far, where a kernel may add its own to it in one pass: on a GPU, dense, of the
   * type of {@code like}; else null.
   */
  final @Nullable Tensor before(Tensor like) {
    Tensor t = gradient;
    if (t == null || !t.is_cuda() || !t.is_contiguous()) return null;
    return t.scalar_type().intern() == like.scalar_type().intern() ? t : null;
  }

  /** Takes a sum that {@link #before} is part of; as {@link #giveGradient} where that was null. */
  final void giveGradient(Tensor g, @Nullable Tensor before) {
    if (before == null) {
      giveGradient(g);
      return;
    }
    g.retainReference();
    before.releaseReference();
    gradient = g;
    ownsGradient = true;
  }

  /**
   * Adds dy · w to the gradient: where there is one already, in the product's own last step.
   *
   * @param dy (…, out)
   * @param w (out, in)
   */
  final void addGradientProduct(Tensor dy, Tensor w) {
    if (!needsGradient) return;
    Tensor there = gradient;
    if (there == null || !there.is_contiguous() || !(ownsGradient || there.is_cuda())) {
      giveGradient(dy.matmul(w));
    } else if (ownsGradient) {
      there.view(-1, w.size(1)).addmm_(dy.reshape(-1, w.size(0)), w);
    } else {
      Tensor sum = there.view(-1, w.size(1)).addmm(dy.reshape(-1, w.size(0)), w);
      giveGradient(sum.view(Shapes.of(there)), there);
    }
  }

  /**
   * Adds dy to some columns of the gradient.
   *
   * @param shape of the whole gradient
   */
  final void addGradientColumns(long[] shape, long from, Tensor dy) {
    if (!needsGradient) return;
    if (gradient != null && ownsGradient) {
      gradient.narrow(-1, from, dy.size(-1)).add_(dy);
      return;
    }
    Tensor dx = zeros(dy, shape);
    dx.narrow(-1, from, dy.size(-1)).copy_(dy);
    giveGradient(dx);
  }

  void releaseGradient() {
    if (gradient == null) return;
    gradient.releaseReference();
    gradient = null;
    ownsGradient = false;
  }
}
