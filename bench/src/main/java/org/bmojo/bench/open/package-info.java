/** How fast, and in how much memory, large checkpoints open. */
@NullMarked
package org.bmojo.bench.open;

import org.jspecify.annotations.NullMarked;
