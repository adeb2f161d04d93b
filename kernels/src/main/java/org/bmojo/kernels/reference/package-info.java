/**
 * The truth: every operation as a composition of libtorch's, written to be read. Any type, any
 * device, no tricks; memory and time grow as they will. The other rooms are tested against it, and
 * it against libtorch's autograd and finite differences.
 */
@NullMarked
package org.bmojo.kernels.reference;

import org.jspecify.annotations.NullMarked;
