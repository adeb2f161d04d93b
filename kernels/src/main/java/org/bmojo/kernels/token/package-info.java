/**
 * One token on all cores of a CPU. A model's step is a fixed list of {@link
 * org.bmojo.kernels.token.Stage stages} over fixed memory, made once; to run it takes two counters
 * and no allocation, where a call of an operation for each piece would cost more than its work.
 *
 * <p>To read: {@link org.bmojo.kernels.token.TokenProgram}, then {@link
 * org.bmojo.kernels.token.Products}, where nearly all of the time goes, and {@link
 * org.bmojo.kernels.token.Attend}. The operations in {@code kernels.op} say what is computed; here
 * it is computed again for a batch of one, and tests compare the two.
 */
@NullMarked
package org.bmojo.kernels.token;

import org.jspecify.annotations.NullMarked;
