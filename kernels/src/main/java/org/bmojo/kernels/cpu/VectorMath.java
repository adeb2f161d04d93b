package org.bmojo.kernels.cpu;

import static org.bmojo.kernels.cpu.Lanes.all;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Exponentials and what is made of them, to one or two units in the last place. Written out as
 * polynomials because they inline into the loops around them, where a call of the platform's vector
 * library would spill every register.
 */
public final class VectorMath {
  public static final float LOG2_E = 1.442695040888963f;

  /** What log₂e lost to float32. */
  private static final float LOG2_E_REST = 1.925963033500e-8f;

  /** 1.5·2²³: adding it rounds to a whole number, which then sits in the low bits. */
  private static final float ROUNDER = 0x1.8p23f;

  private VectorMath() {}

  /**
   * 2ˣ for x ≤ 127; below −126 it stays at 2⁻¹²⁶, which is as good as zero beside any state. NaN
   * stays NaN.
   *
   * <p>x = k + f with |f| ≤ ½; 2ᶠ by the minimax polynomial of degree 6 through 1 (relative error
   * 2e-9, so that rounding is all there is); k goes into the exponent bits.
   */
  public static FloatVector exp2(FloatVector x) {
    FloatVector bounded = x.max(-126f);
    FloatVector shifted = bounded.add(ROUNDER);
    return scaled(bounded.sub(shifted.sub(ROUNDER)), shifted);
  }

  /** eˣ, for x ≤ 88. The product with log₂e is kept to more digits than a float has. */
  public static FloatVector exp(FloatVector x) {
    FloatVector bounded = x.max(-87f);
    FloatVector shifted = bounded.fma(all(LOG2_E), all(ROUNDER));
    FloatVector fraction = bounded.fma(all(LOG2_E), shifted.sub(ROUNDER).neg());
    return scaled(bounded.fma(all(LOG2_E_REST), fraction), shifted);
  }

  /** 2ᶠ·2ᵏ where k sits in the low bits of {@code shifted}. */
  private static FloatVector scaled(FloatVector f, FloatVector shifted) {
    FloatVector p = f.fma(all(0x1.41fbbcp-13f), all(0x1.5f3e54p-10f));
    p = p.fma(f, all(0x1.3b2d4cp-7f));
    p = p.fma(f, all(0x1.c6aee8p-5f));
    p = p.fma(f, all(0x1.ebfbdcp-3f));
    p = p.fma(f, all(0x1.62e430p-1f));
    p = p.fma(f, all(1f));
    return p.reinterpretAsInts()
        .add(shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
        .reinterpretAsFloats();
  }

  /** 1 / (1 + e⁻ˣ). */
  public static FloatVector sigmoid(FloatVector x) {
    // Of e^−|x|, which cannot overflow: σ(x) = 1/(1+e) or e/(1+e).
    FloatVector e = exp(x.abs().neg());
    FloatVector numerator = all(1f).blend(e, x.lt(0f));
    return numerator.div(e.add(1f));
  }

  /**
   * log(1 + eˣ) = max(x, 0) + log(1 + e) with e = e^−|x|. With s = e/(2 + e) ≤ 1/3, log(1 + e) = 2
   * artanh s = 2s + s³·p(s²), and 2s = e − e·s: so all but e is small, and what a small result
   * loses is what e has lost.
   */
  public static FloatVector softplus(FloatVector x) {
    FloatVector e = exp(x.abs().neg());
    FloatVector s = e.div(e.add(2f));
    FloatVector w = s.mul(s);
    FloatVector p = w.fma(all(0.2801201f), all(0.2800180f));
    p = p.fma(w, all(0.40021527f));
    p = p.fma(w, all(0.66666418f));
    FloatVector rest = s.mul(w.mul(p).sub(e));
    return e.add(rest).add(x.max(0f));
  }
}
