package org.bmojo.mixer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import org.bmojo.kernels.op.EideticSelect;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Tensors;
import org.bmojo.store.Entry;
import org.bmojo.store.Hit;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Questions to each sequence's {@link Storage}, and its answers as tensors. */
final class StorageAnswers {
  private static final Logger LOG = LoggerFactory.getLogger(StorageAnswers.class);

  private final EideticMemory eidetic;
  private final EideticSelect.Rule rule;
  private final int retrieved, heads, groups;

  StorageAnswers(EideticMemory eidetic, int retrieved, int heads, int groups) {
    this.eidetic = eidetic;
    this.retrieved = retrieved;
    this.heads = heads;
    this.groups = groups;
    rule = eidetic.rule();
  }

  /**
   * Asks for several chunks, and waits.
   *
   * @param queries (B, M, G, Q, D)
   * @param kept (B, M, E) positions that eidetic memory holds
   * @param first chunk
   */
  Retrieval.Brought all(Tensor queries, Tensor kept, long first, Stores stores, Tensor like) {
    int batch = (int) queries.size(0), chunks = (int) queries.size(1);
    List<List<CompletableFuture<List<List<Hit>>>>> asked = new ArrayList<>();
    for (int b = 0; b < batch; b++) {
      List<CompletableFuture<List<List<Hit>>>> ofRow = new ArrayList<>();
      for (int m = 0; m < chunks; m++) {
        Tensor question = queries.select(0, b).select(0, m);
        ofRow.add(ask(stores.rows().get(b).storage, question, first + m));
      }
      asked.add(ofRow);
    }
    Slots slots = new Slots(batch * chunks, groups, retrieved, (int) queries.size(4));
    for (int b = 0; b < batch; b++) {
      Storage storage = stores.rows().get(b).storage;
      for (int m = 0; m < chunks; m++) {
        long[] members = longs(kept.select(0, b).select(0, m));
        List<List<Hit>> used =
            slots.fill(b * chunks + m, answer(asked.get(b).get(m)), members, storage.session());
        if (m == chunks - 1) storage.using(used);
      }
    }
    return brought(slots, batch, chunks, like);
  }

  /** Asks for the chunk that begins now; the answers come when they come. */
  void ask(Tensor queries, long chunk, Stores stores) {
    for (int b = 0; b < queries.size(0); b++) {
      Stores.Row row = stores.rows().get(b);
      row.pending = ask(row.storage, queries.select(0, b).select(0, 0), chunk);
      row.patient = true;
    }
  }

  /** Puts answers that have arrived into the state. */
  void take(RetrievalState state, Tensor kept, Stores stores) {
    for (int b = 0; b < stores.rows().size(); b++) {
      Stores.Row row = stores.rows().get(b);
      if (row.pending == null || !arrived(row)) continue;
      List<List<Hit>> hits = answer(row.pending);
      row.pending = null;
      try (Scope _ = new Scope()) {
        Slots slots = new Slots(1, groups, retrieved, (int) state.k.get().size(3));
        long[] members = longs(kept.select(0, b));
        row.storage.using(slots.fill(0, hits, members, row.storage.session()));
        Retrieval.Brought one = brought(slots, 1, 1, state.k.get());
        state.k.get().select(0, b).copy_(one.k().value().select(0, 0).select(0, 0));
        state.v.get().select(0, b).copy_(one.v().value().select(0, 0).select(0, 0));
        state.positions.get().select(0, b).copy_(one.positions().select(0, 0).select(0, 0));
        state.bias.get().select(0, b).copy_(one.bias().value().select(0, 0).select(0, 0));
      }
    }
  }

  /** Whether the answer is there; waits for it once, as long as the storage says. */
  private static boolean arrived(Stores.Row row) {
    CompletableFuture<List<List<Hit>>> pending = row.pending;
    if (pending == null) return false;
    if (pending.isDone() || !row.patient) return pending.isDone();
    row.patient = false;
    try {
      pending.get(row.storage.patience().toNanos(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException | ExecutionException e) {
      // It comes later, or says what is wrong when it is read.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return pending.isDone();
  }

  private CompletableFuture<List<List<Hit>>> ask(Storage storage, Tensor queries, long chunk) {
    int dim = (int) queries.size(2), count = (int) queries.size(1);
    Floats all = Floats.of(queries.to(ScalarType.Float).cpu().contiguous()); // (G, Q, D)
    float[][][] asked = new float[groups][count][dim];
    for (int g = 0; g < groups; g++) {
      for (int i = 0; i < count; i++) all.read(((long) g * count + i) * dim, asked[g][i], 0, dim);
    }
    long before = Math.max(0, chunk * rule.chunk() - rule.window() + 1);
    // Some of the best may be in eidetic memory still: see Slots.
    return storage.ask(asked, retrieved + rule.capacity(), before);
  }

  /** Without storage a model goes on thinking, so that trouble there is told and nothing more. */
  private List<List<Hit>> answer(CompletableFuture<List<List<Hit>>> pending) {
    try {
      return pending.join();
    } catch (CompletionException e) {
      LOG.warn("memory in storage could not be asked: {}", e.getMessage());
      List<List<Hit>> none = new ArrayList<>();
      for (int g = 0; g < groups; g++) none.add(List.of());
      return none;
    }
  }

  private Retrieval.Brought brought(Slots slots, long batch, long chunks, Tensor like) {
    long dim = slots.dim;
    Tensor k = Tensor.create(slots.k, batch, chunks, retrieved, groups, dim);
    Tensor v = Tensor.create(slots.v, batch, chunks, retrieved, groups, dim);
    Tensor e = Tensor.create(slots.scores, batch, chunks, groups, retrieved);
    Tensor positions = Tensor.create(slots.positions, batch, chunks, groups, retrieved);
    positions = positions.to(like.device(), ScalarType.Long);
    e = e.to(like.device(), Tensors.accumulation(like));
    Tensor empty = Retrieval.ofHeads(positions.lt(new Scalar(0L)), heads / groups);
    try (Tape tape = Tape.off()) {
      Var bias = eidetic.bias(tape, Var.constant(Retrieval.ofHeads(e, heads / groups)), empty);
      return new Retrieval.Brought(
          Var.constant(k.to(like.device(), like.scalar_type())),
          Var.constant(v.to(like.device(), like.scalar_type())),
          bias,
          positions);
    }
  }

  static long[] longs(Tensor t) {
    Tensor host = t.to(new Device("cpu"), ScalarType.Long).contiguous();
    long[] values = new long[(int) host.numel()];
    new LongPointer(host.data_ptr()).get(values);
    return values;
  }

  /** What is brought back, row by row, as arrays. */
  private static final class Slots {
    final int groups, retrieved, dim;
    final float[] k, v, scores; // (rows, R, G, D) twice, (rows, G, R)
    final long[] positions; // (rows, G, R)

    Slots(int rows, int groups, int retrieved, int dim) {
      this.groups = groups;
      this.retrieved = retrieved;
      this.dim = dim;
      k = new float[rows * retrieved * groups * dim];
      v = new float[k.length];
      scores = new float[rows * groups * retrieved];
      positions = new long[scores.length];
      Arrays.fill(positions, -1);
    }

    /**
     * The best that are not in eidetic memory, none twice. A sequence that goes on from an earlier
     * memory of itself has let go in another life of what it holds yet, or will let go again.
     *
     * @return those, for each head
     */
    List<List<Hit>> fill(int row, List<List<Hit>> hits, long[] members, String session) {
      List<List<Hit>> used = new ArrayList<>();
      for (int g = 0; g < groups; g++) {
        Set<Long> seen =
            Arrays.stream(members).boxed().collect(Collectors.toCollection(HashSet::new));
        List<Hit> best =
            hits.get(g).stream()
                .filter(hit -> isOther(hit.entry(), session) || seen.add(hit.entry().position()))
                .limit(retrieved)
                .toList();
        used.add(best);
        for (int r = 0; r < best.size(); r++) {
          Entry entry = best.get(r).entry();
          int vector = ((row * retrieved + r) * groups + g) * dim;
          System.arraycopy(entry.key(), 0, k, vector, dim);
          System.arraycopy(entry.value(), 0, v, vector, dim);
          int slot = (row * groups + g) * retrieved + r;
          scores[slot] = entry.innovation();
          positions[slot] = entry.position();
        }
      }
      return used;
    }

    private static boolean isOther(Entry entry, String session) {
      return !entry.source().session().equals(session);
    }
  }
}
