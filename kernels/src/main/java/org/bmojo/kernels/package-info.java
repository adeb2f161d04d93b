/** The door to the operations: {@link org.bmojo.kernels.Kernels} picks a room. */
@NullMarked
package org.bmojo.kernels;

import org.jspecify.annotations.NullMarked;
