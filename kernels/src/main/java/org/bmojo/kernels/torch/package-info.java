/**
 * What little we add around libtorch's own {@code Tensor}: scopes of native memory, calls of
 * operators that have no static method, and direct views of a tensor's memory.
 */
@NullMarked
package org.bmojo.kernels.torch;

import org.jspecify.annotations.NullMarked;
