/**
 * Synthetic recall: from a seed to batches, and from a model's choices to accuracies. Plain arrays
 * only; nothing here knows tensors or models.
 *
 * <pre>
 * Task     one generator with its validated Config            new Mqar(config), Presets.basedMqar(64, 4)
 *  │
 * Segment  task + split + seed + number of examples           batch n is drawn from (seed, n) alone
 *  │
 * Suite    segments to train on, segments to be tested on     Presets.basedMixture(MASTER_SEED)
 *  │
 * Batch    inputs, targets (B·T); K labels with pairs, distance, look-ups
 *  │                                                          the model chooses an id for each label
 * RecallScore   accuracy, whole and by slice                  plotted over StateBytes
 * </pre>
 *
 * Start at {@link org.bmojo.tasks.Presets}, or at {@link org.bmojo.tasks.TaskChoice} for a task by
 * its name; a whole evaluation is
 *
 * <pre>{@code
 * for (Segment segment : Presets.basedMixture(Presets.MASTER_SEED).test()) {
 *   RecallScore score = new RecallScore(32);
 *   for (long n = 0; n < segment.batches(32); n++) {
 *     Batch batch = segment.batch(32, n);
 *     score.add(batch, model.choose(batch));
 *   }
 *   score.perExample();
 * }
 * }</pre>
 *
 * <table>
 *   <caption>What each task asks of memory</caption>
 *   <tr><td>{@link org.bmojo.tasks.Mqar}</td><td>many pairs, every key asked</td></tr>
 *   <tr><td>{@link org.bmojo.tasks.ForgettingMqar}</td><td>the last value counts</td></tr>
 *   <tr><td>{@link org.bmojo.tasks.CompositionalMqar}</td><td>keys of two tokens</td></tr>
 *   <tr><td>{@link org.bmojo.tasks.InContextRecall}</td><td>pairs with repetition, with or without noise</td></tr>
 *   <tr><td>{@link org.bmojo.tasks.FuzzyRecall}</td><td>keys and values of one to three tokens</td></tr>
 *   <tr><td>{@link org.bmojo.tasks.SelectiveCopying}</td><td>order, and what to leave out</td></tr>
 *   <tr><td>{@link org.bmojo.tasks.Compression}</td><td>everything in one vector</td></tr>
 *   <tr><td>{@link org.bmojo.tasks.Memorization}</td><td>weights instead of state</td></tr>
 *   <tr><td>{@link org.bmojo.tasks.Passkey}</td><td>a surprise in predictable text, however far back</td></tr>
 *   <tr><td>{@link org.bmojo.tasks.NeedleHaystack}</td><td>capacity: no pair stands out</td></tr>
 *   <tr><td>{@link org.bmojo.tasks.VariableTracking}</td><td>look-ups that feed each other</td></tr>
 *   <tr><td>{@link org.bmojo.tasks.InductionHeads}</td><td>one pair, up to a million tokens back</td></tr>
 * </table>
 *
 * A distance always runs from the labelled position to the key it needs, so the answer stands right
 * after that key, and a window of W tokens holds the key when the distance is below W. ({@link
 * org.bmojo.tasks.Compression} alone measures to its last position.)
 */
@NullMarked
package org.bmojo.tasks;

import org.jspecify.annotations.NullMarked;
