/**
 * The CPU room: one pass over memory per operation, with the Vector API, on all cores.
 *
 * <p>Three rules make it simple. Work is float32: other activation types are converted on the way
 * in and out, float64 is the reference room's. Tensors' memory is read and written in place through
 * {@link org.bmojo.kernels.torch.Floats}. And work is cut into tasks by the shapes alone, never by
 * the number of cores, and partial sums are added in the order of the tasks, so that results are
 * the same bits on every run and any number of cores ({@link org.bmojo.kernels.cpu.Cores}).
 *
 * <p>To read: {@link org.bmojo.kernels.cpu.Lanes} and {@link org.bmojo.kernels.cpu.VectorMath}
 * first, then {@link org.bmojo.kernels.cpu.CpuSwiGlu}, the simplest operation, and {@link
 * org.bmojo.kernels.cpu.CpuSelectiveScan}, the one that the room exists for.
 */
@NullMarked
package org.bmojo.kernels.cpu;

import org.jspecify.annotations.NullMarked;
