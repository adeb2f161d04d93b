package org.bmojo.mixer;

/** A state-space layer: the fading memory, "in state". */
public sealed interface SsmConfig permits MambaConfig {}
