/** The store on disk: the contract, and what disks and processes do to it. */
@NullMarked
package org.bmojo.store.lucene;

import org.jspecify.annotations.NullMarked;
