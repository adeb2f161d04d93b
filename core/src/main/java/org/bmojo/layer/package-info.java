/**
 * The plain parts of a model: linear maps, embeddings, norms, perceptrons, rotary tables. Each
 * layer holds its {@link org.bmojo.tape.Parameter}s, says their names to a {@link
 * org.bmojo.layer.Names}, and runs forward on a tape.
 */
@NullMarked
package org.bmojo.layer;

import org.jspecify.annotations.NullMarked;
