/** Gradients against libtorch's autograd and finite differences, in float64. */
@NullMarked
package org.bmojo.tape;

import org.jspecify.annotations.NullMarked;
