/**
 * The kernel laboratory for GPUs: proves every operation against the reference room in float64,
 * then times it beside a copy and a matrix product of the same run. {@link
 * org.bmojo.bench.gpu.GpuLab} is the program; docs/results/kernels.md keeps what came of it.
 */
@NullMarked
package org.bmojo.bench.gpu;

import org.jspecify.annotations.NullMarked;
