/**
 * The room for NVIDIA GPUs (compute capability 8.0 and newer): one {@code .cu} resource per
 * operation, compiled by NVRTC for the device at hand and launched on libtorch's current stream.
 *
 * <pre>
 *   CudaSelectiveScan ── Program("selective_scan", T = bf16, N = 16) ── Kernel.launch(grid, tensors…)
 *                            │
 *                            └─ Compiler: NVRTC → cubin, kept on disk by hash of source and options
 * </pre>
 *
 * Every sum runs in one order whatever the scheduling: partial sums go to memory and a second
 * launch adds them. There are no floating-point atomics of ours; libtorch's flash attention is
 * asked for its deterministic backward pass, unless {@code -Dbmojo.deterministic=false} asks for
 * atomics: faster, and gradients that differ in their last bits from run to run.
 *
 * <p>Where the host is slower than the GPU, {@link org.bmojo.kernels.cuda.Graph} records what is
 * queued, libtorch's operations and ours alike, and launches it as a whole. What an operation sends
 * from the host, or keeps for later calls, minds {@link org.bmojo.kernels.torch.Recording}.
 *
 * <p>No class here touches CUDA when it is loaded; ask {@link
 * org.bmojo.kernels.cuda.CudaRoom#unavailable()} first.
 */
@NullMarked
package org.bmojo.kernels.cuda;

import org.jspecify.annotations.NullMarked;
