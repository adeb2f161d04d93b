/**
 * Several processes that train one model, each on its own part of every batch.
 *
 * <ul>
 *   <li>{@link org.bmojo.parallel.Ranks} says which process this is, from the environment that
 *       torchrun, Slurm, MPI and Kubernetes' training operators set;
 *   <li>{@link org.bmojo.parallel.Group} joins the processes: sums and copies over all of them, by
 *       NCCL between GPUs and by Gloo between CPUs;
 *   <li>{@link org.bmojo.parallel.RankBatches} deals out the data.
 * </ul>
 *
 * <p>{@link org.bmojo.train.Trainer} does the rest when it is given a group.
 */
@NullMarked
package org.bmojo.parallel;

import org.jspecify.annotations.NullMarked;
