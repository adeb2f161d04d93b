/**
 * Many small models trained on tasks of memory, and what came of them.
 *
 * <pre>
 * SweepFile   baselines × changes, learning rates, seeds        read from YAML, strictly
 *  │
 * Sweep       its trials, each with a key of all that decides its result
 *  │
 * SweepRun    trains those whose key is not in the folder yet, several at a time
 *  │
 * Journal     trials.jsonl: one line a trial, in whatever order they end
 *  │
 * Results     the lines of a folder; of each model the best learning rate
 *  │
 * SweepPage   recall against state bytes, by distance, by length; capacity curves
 * </pre>
 *
 * A trial that was killed leaves no line and is begun again. Folders of several machines, each with
 * its {@code --shard}, become one by copying their files together.
 */
@NullMarked
package org.bmojo.sweep;

import org.jspecify.annotations.NullMarked;
