/**
 * Other projects' checkpoints, as far as they can be told without opening the weights: {@link
 * org.bmojo.foreign.Architecture} turns a {@code config.json} into a {@link
 * org.bmojo.model.ModelConfig} and says what each of our parameters is called there, and turns one
 * of our configurations back into a {@code config.json}.
 *
 * <pre>
 *   config.json ── read ──→ ModelConfig + Renaming ──→ weights, by org.bmojo.checkpoint
 *   config.json ←─ write ── ModelConfig
 * </pre>
 *
 * <p>A foreign configuration is read as its own library reads it: what is absent has that library's
 * default, what does not change the computation is ignored. What would change it and is not ours is
 * refused by name.
 *
 * <p>A new architecture is a class beside {@link org.bmojo.foreign.Transformers} and a line in
 * {@link org.bmojo.foreign.Architectures}.
 */
@NullMarked
package org.bmojo.foreign;

import org.jspecify.annotations.NullMarked;
