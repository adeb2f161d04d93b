package org.bmojo.parallel;

import java.time.Duration;
import java.util.function.Supplier;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.Backend;
import org.bytedeco.pytorch.BroadcastOptions;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.GlooDeviceVector;
import org.bytedeco.pytorch.ProcessGroupGloo;
import org.bytedeco.pytorch.TCPStore;
import org.bytedeco.pytorch.TCPStoreOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.Work;
import org.bytedeco.pytorch.nccl.ProcessGroupNCCL;

/**
 * Processes that wait for each other: every one must make the same calls in the same order. Between
 * GPUs a call is queued like any operation, and the host goes on.
 */
public final class Group implements AutoCloseable {
  /** How long a process waits for another: a checkpoint may be written meanwhile. */
  public static final Duration PATIENCE = Duration.ofMinutes(10);

  private final Ranks ranks;
  private final TCPStore store;
  private final Backend backend;

  private Group(Ranks ranks, TCPStore store, Backend backend) {
    this.ranks = ranks;
    this.store = store;
    this.backend = backend;
  }

  /**
   * Meets the others; returns when all have come.
   *
   * @param device where the tensors will be: NCCL between GPUs, Gloo otherwise
   * @param patience how long to wait for another process, now and in every call
   * @throws LostRankException if somebody does not come
   */
  public static Group join(Ranks ranks, Device device, Duration patience) {
    try {
      TCPStoreOptions options = new TCPStoreOptions();
      options.port((short) ranks.port()).isServer(ranks.isFirst()).waitWorkers(false);
      options.timeout(new Milliseconds(patience.toMillis()));
      TCPStore store = new TCPStore(ranks.address(), options);
      store.retainReference();
      Backend backend =
          device.is_cuda()
              ? new ProcessGroupNCCL(store, ranks.rank(), ranks.size())
              : gloo(ranks, store, patience);
      backend.retainReference();
      Group group = new Group(ranks, store, backend);
      group.barrier();
      return group;
    } catch (LostRankException e) {
      throw e;
    } catch (RuntimeException e) {
      throw new LostRankException(ranks, e);
    }
  }

  private static Backend gloo(Ranks ranks, TCPStore store, Duration patience) {
    boolean here = ranks.address().equals("localhost") || ranks.address().startsWith("127.");
    var options = ProcessGroupGloo.Options.create(new Milliseconds(patience.toMillis()));
    var device =
        here
            ? ProcessGroupGloo.createDeviceForHostname(ranks.address())
            : ProcessGroupGloo.createDefaultDevice();
    options.devices(new GlooDeviceVector(device));
    return new ProcessGroupGloo(store, ranks.rank(), ranks.size(), options);
  }

  /** Which process this is. */
  public Ranks ranks() {
    return ranks;
  }

  /** Replaces {@code t} everywhere by its sum over all processes. */
  public void sum(Tensor t) {
    await(() -> backend.allreduce(new TensorVector(t)));
  }

  /** Replaces {@code t} everywhere by that of process {@code rank}. */
  public void copyFrom(int rank, Tensor t) {
    await(() -> backend.broadcast(new TensorVector(t), new BroadcastOptions().rootRank(rank)));
  }

  /** Waits until all have come here. */
  public void barrier() {
    await(backend::barrier);
  }

  private void await(Supplier<Work> call) {
    try {
      call.get()._wait();
    } catch (RuntimeException e) {
      throw new LostRankException(ranks, e);
    }
  }

  /** Leaves. */
  @Override
  public void close() {
    backend.releaseReference();
    store.releaseReference();
  }
}
