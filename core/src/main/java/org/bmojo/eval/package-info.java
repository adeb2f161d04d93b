/**
 * What a model can do, as numbers: {@link org.bmojo.eval.TextScorer} measures it in bits per byte
 * of held-out text, {@link org.bmojo.eval.RecallTrial} trains and tests it on a synthetic recall
 * task.
 */
@NullMarked
package org.bmojo.eval;

import org.jspecify.annotations.NullMarked;
