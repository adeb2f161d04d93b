/**
 * Whole training steps, timed: {@link org.bmojo.bench.train.TrainLab} prints tokens per second of
 * every model family beside what it costs in memory. {@code bench/peers} holds the PyTorch side.
 */
@NullMarked
package org.bmojo.bench.train;

import org.jspecify.annotations.NullMarked;
