package org.bmojo.data;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Sequences and what follows each of their tokens.
 *
 * @param inputs (B, T) int64 on the CPU
 * @param targets (B, T) int64: {@code targets[b][t]} is the token after {@code inputs[b][t]}
 * @param begin (B, T) int32: the token of the row with which each token's document begins, negative
 *     where that is before the row; null where documents are not told apart
 */
public record Batch(Tensor inputs, Tensor targets, @Nullable Tensor begin) {}
