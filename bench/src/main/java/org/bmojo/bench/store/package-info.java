/** How fast, how exactly and in how much memory the store on disk finds entries. */
@NullMarked
package org.bmojo.bench.store;

import org.jspecify.annotations.NullMarked;
