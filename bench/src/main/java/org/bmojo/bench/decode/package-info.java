/** How fast models answer: tokens one by one, and prompts. */
@NullMarked
package org.bmojo.bench.decode;

import org.jspecify.annotations.NullMarked;
