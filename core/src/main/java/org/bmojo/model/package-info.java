/**
 * A language model: embedding, blocks of norm–mixer–norm–perceptron, final norm, output head.
 * {@link org.bmojo.model.ModelConfig} says which; {@link org.bmojo.model.Presets} has the usual
 * ones. One sequence's token on the CPU takes a shorter way, which computes the same.
 */
@NullMarked
package org.bmojo.model;

import org.jspecify.annotations.NullMarked;
