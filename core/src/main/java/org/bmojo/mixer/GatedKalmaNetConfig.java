package org.bmojo.mixer;

import org.bmojo.error.BadInput;

/**
 * Gated KalmaNet: linear attention whose queries are first solved against the keys' Gram matrix.
 *
 * @param heads how queries, keys, values and the output are made
 * @param iterations of the solver; part of the model, for it stops before it has converged; 0
 *     leaves the solver out
 * @param ridge regularisation relative to the matrix's norm
 * @param mixed whether a token decides how much of the solution it uses; where not, all
 * @param betaGate whether keys and values are weighted by a gate
 * @param forgets whether the state decays
 * @param matrixForgets whether the Gram matrix decays with it
 * @param scaled whether the output is divided by √D
 * @param throughLambda whether gradients see the regularisation depend on the keys
 */
public record GatedKalmaNetConfig(
    DeltaHeads heads,
    int iterations,
    double ridge,
    boolean mixed,
    boolean betaGate,
    boolean forgets,
    boolean matrixForgets,
    boolean scaled,
    boolean throughLambda)
    implements SsmConfig {
  /** Refuses a solver that solves nothing. */
  public GatedKalmaNetConfig {
    if (iterations < 0 || !(ridge > 0) || Double.isInfinite(ridge)) {
      throw new BadInput(
          "gated kalmanet with " + iterations + " iterations and ridge " + ridge,
          "expected iterations ≥ 0 and a positive ridge",
          "correct the configuration");
    }
  }

  /** 30 iterations, ridge 0.02, everything on. */
  public static GatedKalmaNetConfig of(DeltaHeads heads) {
    return new GatedKalmaNetConfig(heads, 30, 0.02, true, true, true, true, true, true);
  }

  @Override
  public long stateElements(int width) {
    return 2L * heads.heads() * heads.headDim() * heads.headDim() + heads.convolutionElements();
  }
}
