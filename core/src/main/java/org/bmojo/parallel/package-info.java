/**
 * Several processes that train one model, each on its own part of every update.
 *
 * <ul>
 *   <li>{@link org.bmojo.parallel.Ranks} says which process this is, from the environment that
 *       torchrun, Slurm, MPI and Kubernetes' training operators set;
 *   <li>{@link org.bmojo.parallel.Group} joins the processes: sums and copies over all of them, by
 *       NCCL between GPUs and by Gloo between CPUs, and tells when one is gone;
 *   <li>{@link org.bmojo.parallel.RankBatches} deals out the data, so that what an update reads
 *       does not depend on how many processes there are.
 * </ul>
 *
 * <p>{@link org.bmojo.train.Trainer} does the rest when it is given a group. An update of two
 * processes, time from left to right:
 *
 * <pre>
 *   computing   forward | backward, last layers first ....... |  norm  AdamW of own part |  forward
 *   summing                    gradients 0 | gradients 1 | 2 |    |                    |
 *                                                             two numbers        weights of
 *                                                                                all parts
 * </pre>
 *
 * Gradients are summed a bucket at a time as soon as the backward pass has left it, each process
 * getting the sums of one half; the loss, the squares of the halves' norms and whether anybody
 * wants an end are summed together; each process updates its half of the weights, for which alone
 * it has AdamW's moments; and all get both halves.
 */
@NullMarked
package org.bmojo.parallel;

import org.jspecify.annotations.NullMarked;
