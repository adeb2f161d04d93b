package org.bmojo.data;

import org.bytedeco.pytorch.Tensor;

/**
 * Sequences and what follows each of their tokens.
 *
 * @param inputs (B, T) int64 on the CPU
 * @param targets (B, T) int64: {@code targets[b][t]} is the token after {@code inputs[b][t]}
 */
public record Batch(Tensor inputs, Tensor targets) {}
