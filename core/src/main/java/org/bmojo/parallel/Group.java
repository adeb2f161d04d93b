package org.bmojo.parallel;

import java.io.IOException;
import java.time.Duration;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.bmojo.kernels.torch.Scope;
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
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.nccl.ProcessGroupNCCL;

/**
 * Processes that wait for each other: every one must make the same calls in the same order. Between
 * GPUs a call is queued like any operation, and the host goes on.
 */
public final class Group implements AutoCloseable {
  /** How long a process waits for another: a checkpoint may be written meanwhile. */
  public static final Duration PATIENCE = Duration.ofMinutes(30);

  private final Ranks ranks;
  private final TCPStore store;
  private final Backend backend;
  private final boolean nccl;
  private final Lifeline lifeline;
  private int words; // said by the first process, and barriers

  private Group(Ranks ranks, TCPStore store, Backend backend, boolean nccl, Lifeline lifeline) {
    this.ranks = ranks;
    this.store = store;
    this.backend = backend;
    this.nccl = nccl;
    this.lifeline = lifeline;
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
      boolean serves = ranks.isFirst() && !ranks.launcherServes();
      options.port((short) ranks.port()).isServer(serves).waitWorkers(false);
      options.timeout(new Milliseconds(patience.toMillis()));
      TCPStore store = new TCPStore(ranks.address(), options);
      store.retainReference();
      String line = ranks.key("lifeline");
      Lifeline lifeline = Lifeline.join(ranks, word -> said(store, ranks, line, word), patience);
      boolean nccl = device.is_cuda();
      Backend backend = nccl ? nccl(ranks, store, patience) : gloo(ranks, store, patience);
      backend.retainReference();
      return new Group(ranks, store, backend, nccl, lifeline);
    } catch (IOException | RuntimeException e) {
      throw new LostRankException(ranks, "another", e);
    }
  }

  private static Backend nccl(Ranks ranks, TCPStore store, Duration patience) {
    // Sums are small beside what they overlap with: they go first, and nobody waits for them.
    var options = ProcessGroupNCCL.Options.create(true);
    options.timeout(new Milliseconds(patience.toMillis()));
    return new ProcessGroupNCCL(store, ranks.rank(), ranks.size(), options);
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

  private static String said(TCPStore store, Ranks ranks, String key, String word) {
    if (!ranks.isFirst()) return store.get_to_str(key);
    store.set(key, word);
    return word;
  }

  /** Which process this is. */
  public Ranks ranks() {
    return ranks;
  }

  /** What the first process has for {@code own}: decisions that only one must take. */
  public String first(String own) {
    return on(() -> said(store, ranks, ranks.key("word" + words++), own));
  }

  /** Replaces {@code t} everywhere by its sum over all processes. */
  public void sum(Tensor t) {
    start(() -> backend.allreduce(new TensorVector(t))).await();
  }

  /** Replaces {@code t} everywhere by that of process {@code rank}. */
  public void copyFrom(int rank, Tensor t) {
    start(() -> backend.broadcast(new TensorVector(t), new BroadcastOptions().rootRank(rank)))
        .await();
  }

  /**
   * Begins to sum {@code t} over all processes, of which each gets the sums of {@link #part its own
   * part}; what the rest is then is nobody's business.
   *
   * @param t as many elements as a multiple of the processes, contiguous; left alone until then
   */
  public Collective sumParts(Tensor t) {
    return start(() ->
        nccl ? backend._reduce_scatter_base(part(t), t) : backend.allreduce(new TensorVector(t)));
  }

  /** Begins to copy each process's {@link #part} of {@code t} to all others. */
  public Collective spreadParts(Tensor t) {
    Tensor all = nccl ? t : t.view(ScalarType.Byte); // Gloo does not know every type.
    return start(() -> backend._allgather_base(all, part(all)));
  }

  /** The part of {@code t}, cut in as many as there are processes, that is this one's. */
  public Tensor part(Tensor t) {
    long count = t.numel() / ranks.size();
    return t.narrow(0, ranks.rank() * count, count);
  }

  /** Waits until all have come here. */
  public void barrier() {
    String key = ranks.key("barrier" + words++), open = key + " open";
    boolean last = on(() -> store.add(key, 1)) == ranks.size();
    on(() -> {
      if (last) store.set(open, "yes");
      return store.get_to_str(open);
    });
  }

  private Collective start(Supplier<Work> call) {
    try (Scope scope = new Scope()) {
      return new Collective(this, on(call));
    }
  }

  private <T> T on(Supplier<T> call) {
    String gone = lifeline.lost();
    if (gone != null) throw new LostRankException(ranks, gone, null);
    try {
      return call.get();
    } catch (RuntimeException e) {
      throw lost(e);
    }
  }

  LostRankException lost(RuntimeException cause) {
    return new LostRankException(ranks, "another", cause);
  }

  /**
   * Has {@code last} run when another process is gone and this one is still here after {@code
   * grace}: it waits, as it may on a GPU, for what will never come.
   */
  public void whenLost(Duration grace, Consumer<LostRankException> last) {
    lifeline.whenLost(grace, who -> last.accept(new LostRankException(ranks, who, null)));
  }

  /** Waits until all want to leave, and does: nobody is lost then. */
  public void leave() {
    String gone = lifeline.leave();
    if (gone != null) throw new LostRankException(ranks, gone, null);
  }

  /** Leaves; if {@link #leave} was not called, the others have lost this one. */
  @Override
  public void close() {
    lifeline.close();
    backend.releaseReference();
    store.releaseReference();
  }
}
