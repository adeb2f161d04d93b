/**
 * One contract per operation, an abstract test class that every room's test extends. What is wanted
 * comes from {@link org.bmojo.kernels.contract.Autograd}: libtorch's autograd through an
 * independent float64 composition; the reference room is held against finite differences as well.
 *
 * <p>Lengths are awkward on purpose (1, 13, 63, 207): they leave tails in every block size. {@link
 * org.bmojo.kernels.contract.Close} judges all comparisons.
 */
@NullMarked
package org.bmojo.kernels.contract;

import org.jspecify.annotations.NullMarked;
