/** One behavioural contract, {@code StoreContract}, that the test of every store inherits. */
@NullMarked
package org.bmojo.store;

import org.jspecify.annotations.NullMarked;
