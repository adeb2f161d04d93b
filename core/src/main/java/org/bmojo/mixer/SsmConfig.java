package org.bmojo.mixer;

/** A state-space layer: the fading memory, "in state". */
public sealed interface SsmConfig
    permits MambaConfig, Mamba2Config, GatedDeltaNetConfig, GatedKalmaNetConfig {
  /**
   * Numbers kept per sequence, whatever its length.
   *
   * @param width d
   */
  long stateElements(int width);
}
