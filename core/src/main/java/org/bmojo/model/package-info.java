/**
 * A language model: embedding, blocks of norm–mixer–norm–perceptron, final norm, output head.
 * {@link org.bmojo.model.ModelConfig} says which; {@link org.bmojo.model.Presets} has the usual
 * ones.
 */
@NullMarked
package org.bmojo.model;

import org.jspecify.annotations.NullMarked;
