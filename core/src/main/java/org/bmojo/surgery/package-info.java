/**
 * Models made out of models, before any training: {@link org.bmojo.surgery.Priming} replaces layers
 * of a Transformer, {@link org.bmojo.surgery.AddEidetic} gives a B'MOJO-F long-term memory. Weights
 * that stay are shared with the model they came from, not copied; each operation says which are
 * fresh.
 */
@NullMarked
package org.bmojo.surgery;

import org.jspecify.annotations.NullMarked;
