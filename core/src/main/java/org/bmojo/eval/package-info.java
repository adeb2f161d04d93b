/** How good a model is: {@link org.bmojo.eval.TextScorer} measures bits per byte on documents. */
@NullMarked
package org.bmojo.eval;

import org.jspecify.annotations.NullMarked;
