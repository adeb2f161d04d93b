/** A server under many clients, good and bad ones, for as long as one likes. */
@NullMarked
package org.bmojo.bench.serve;

import org.jspecify.annotations.NullMarked;
