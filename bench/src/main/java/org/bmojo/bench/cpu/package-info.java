/**
 * The kernel laboratory for CPUs: proves every operation against the reference room in float64,
 * then times it beside what the machine itself can do, measured in the same run. {@link
 * org.bmojo.bench.cpu.CpuLab} is the program; docs/results/kernels.md keeps what came of it.
 */
@NullMarked
package org.bmojo.bench.cpu;

import org.jspecify.annotations.NullMarked;
