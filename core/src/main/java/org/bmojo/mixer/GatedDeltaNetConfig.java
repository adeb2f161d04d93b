package org.bmojo.mixer;

/**
 * Gated DeltaNet (Yang, Kautz and Hatamizadeh 2024).
 *
 * @param heads how queries, keys, values and the output are made
 * @param negativeEigenvalues whether β reaches 2 instead of 1, so that a state may change its sign
 */
public record GatedDeltaNetConfig(DeltaHeads heads, boolean negativeEigenvalues)
    implements SsmConfig {
  @Override
  public long stateElements(int width) {
    return (long) heads.heads() * heads.headDim() * heads.headDim() + heads.convolutionElements();
  }
}
