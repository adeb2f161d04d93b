package org.bmojo.kernels.cuda;

import static org.bytedeco.cuda.global.cudart.cudaDeviceSynchronize;
import static org.bytedeco.cuda.global.cudart.cudaGetLastError;
import static org.bytedeco.cuda.global.cudart.cudaGraphDestroy;
import static org.bytedeco.cuda.global.cudart.cudaGraphExecDestroy;
import static org.bytedeco.cuda.global.cudart.cudaGraphInstantiateWithFlags;
import static org.bytedeco.cuda.global.cudart.cudaGraphLaunch;
import static org.bytedeco.cuda.global.cudart.cudaStreamBeginCapture;
import static org.bytedeco.cuda.global.cudart.cudaStreamCaptureModeThreadLocal;
import static org.bytedeco.cuda.global.cudart.cudaStreamEndCapture;

import java.util.List;
import org.bmojo.kernels.torch.Recording;
import org.bytedeco.cuda.cudart.CUgraphExec_st;
import org.bytedeco.cuda.cudart.CUgraph_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.pytorch.Tensor;

/**
 * Work on a GPU that is queued once, recorded, and from then on launched as a whole: a thousand
 * kernels for the price of one call.
 *
 * <pre>{@code
 * try (SideStream side = new SideStream(0)) {
 *   work.run();                                  // compiles kernels, fills caches: at least once
 *   graph = Graph.capture(work);                 // records, and runs nothing
 * }
 * input.copy_(next); graph.replay();             // as often as you like, on any stream
 * }</pre>
 *
 * <p>A replay runs the same kernels on the same addresses. So whatever the work reads or writes and
 * did not make itself must lie still until the graph is closed; inputs are copied into tensors made
 * before. Tensors that the work makes live in memory of the graph's own, and what is kept of them
 * holds the results of the last replay; other replays of the same graph on other streams would meet
 * there. Numbers that the host passes to a kernel are recorded as they were.
 *
 * <p>The work must not read numbers on the host nor draw random ones. The whole process captures
 * one graph at a time.
 */
public final class Graph implements AutoCloseable {
  private static final Object ONE_AT_A_TIME = new Object();

  private final Device device;
  private final GraphMemory memory;
  private final CUgraphExec_st graph;
  private final List<Tensor> held;
  private boolean closed;

  private Graph(Device device, GraphMemory memory, CUgraphExec_st graph, List<Tensor> held) {
    this.device = device;
    this.memory = memory;
    this.graph = graph;
    this.held = held;
  }

  /**
   * Runs {@code work} on the current stream of the current device so many times, for whatever is
   * done only once, and then records it.
   *
   * @param index of the device, as libtorch counts
   * @throws IllegalStateException as {@link #capture}
   */
  public static Graph of(int index, int warmUps, Runnable work) {
    try (SideStream side = new SideStream(index)) {
      for (int i = 0; i < warmUps; i++) work.run();
      return capture(work);
    }
  }

  /**
   * Records what {@code work} queues on this thread's current stream, which is not the default one.
   * The same work has run on this thread and stream before. Memory that libtorch holds unused is
   * given back first, since the graph has its own.
   *
   * @throws IllegalStateException if it cannot be recorded; nothing of it ran then
   */
  public static Graph capture(Runnable work) {
    synchronized (ONE_AT_A_TIME) {
      Device device = Device.current();
      CUstream_st stream = device.stream();
      if (stream == null || stream.isNull()) {
        throw new IllegalStateException(
            "a CUDA graph cannot be captured on the default stream: open a SideStream");
      }
      Driver.check("waiting before a capture", cudaDeviceSynchronize());
      GraphMemory memory = new GraphMemory(device, stream);
      List<Tensor> held = Recording.begin();
      try {
        CUgraphExec_st graph = instantiated(recorded(stream, memory, work));
        return new Graph(device, memory, graph, held);
      } catch (RuntimeException | Error e) {
        held.forEach(Tensor::releaseReference);
        memory.close();
        throw e;
      } finally {
        Recording.end();
      }
    }
  }

  /**
   * Other threads may go on: only this one is refused calls that would spoil a recording, which are
   * those that wait for the device.
   */
  private static CUgraph_st recorded(CUstream_st stream, GraphMemory memory, Runnable work) {
    CUgraph_st recorded = new CUgraph_st();
    Throwable failed = null;
    int end;
    memory.begin();
    try {
      Driver.check(
          "beginning a capture", cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
      try {
        work.run();
      } catch (RuntimeException | Error e) {
        failed = e;
      } finally {
        end = cudaStreamEndCapture(stream, recorded);
      }
    } finally {
      memory.end();
    }
    if (failed == null && end == 0 && !recorded.isNull()) return recorded;
    cudaGetLastError(); // Else the next operation would be blamed for it.
    if (!recorded.isNull()) cudaGraphDestroy(recorded);
    String reason = failed == null ? "CUDA error " + end : failed.getMessage();
    throw new IllegalStateException(
        "this work cannot be captured in a CUDA graph: it must neither wait for the GPU (reading"
            + " numbers on the host, copying from it) nor draw random numbers, and must have run"
            + " before: "
            + reason,
        failed);
  }

  private static CUgraphExec_st instantiated(CUgraph_st recorded) {
    CUgraphExec_st graph = new CUgraphExec_st();
    try {
      Driver.check("instantiating a graph", cudaGraphInstantiateWithFlags(graph, recorded, 0));
      return graph;
    } finally {
      cudaGraphDestroy(recorded);
    }
  }

  /** Queues the whole work again, on libtorch's current stream. */
  public void replay() {
    if (closed) throw new IllegalStateException("this CUDA graph is closed");
    Driver.check("launching a graph", cudaGraphLaunch(graph, device.stream()));
  }

  /** Waits for the device, and gives graph and memory back to libtorch's allocator. */
  @Override
  public void close() {
    if (closed) return;
    closed = true;
    cudaDeviceSynchronize(); // If it fails, whoever asked for the work learns of it.
    cudaGraphExecDestroy(graph);
    held.forEach(Tensor::releaseReference);
    memory.close();
  }
}
