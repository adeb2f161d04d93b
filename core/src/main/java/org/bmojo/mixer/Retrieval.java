package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.einsum;
import static org.bmojo.kernels.torch.Tensors.range;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.stack;
import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.error.BadInput;
import org.bmojo.kernels.op.EideticSelect;
import org.bmojo.kernels.op.MemoryAttention;
import org.bmojo.tape.KernelOps.EideticVars;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Memory in storage: at every multiple of C, each key/value head asks for the R entries whose keys
 * have the largest inner product with the newest queries; they stand beside the eidetic keys, under
 * the same softmax, for the length of a chunk.
 *
 * <p>An entry is a token that could be in eidetic memory, but is not. Whoever lost his place never
 * gets it back, since the worst of the best only ever gets better: so a token enters storage once,
 * and is never here and in eidetic memory at a time.
 *
 * <p>Entries come from a {@link Storage}, or else from the layer's own past, all of it: exactly the
 * same function, differentiable through what it brings back, which is what training needs.
 */
final class Retrieval {
  final StorageConfig config;
  private final EideticSelect.Rule rule;
  private final EideticMemory eidetic;
  private final StorageAnswers answers;
  final int heads, groups;

  Retrieval(AttentionConfig attention, StorageConfig config, EideticMemory eidetic) {
    this.config = config;
    this.eidetic = eidetic;
    rule = eidetic.rule();
    heads = attention.heads();
    groups = attention.kvHeads();
    answers = new StorageAnswers(eidetic, config.retrieved(), heads, groups);
  }

  /**
   * What some chunks were brought.
   *
   * @param k (B, M, R, G, D) unrotated
   * @param v (B, M, R, G, D)
   * @param bias (B, M, H, R)
   * @param positions (B, M, G, R), −1 where empty
   */
  record Brought(Var k, Var v, Var bias, Tensor positions) {
    long chunks() {
      return positions.size(1);
    }
  }

  /** New tokens, as this layer made them. */
  record Tokens(Var q, Var k, Var v, EideticMemory.Scored scored) {
    /** Of some rows; without gradient. */
    Tokens rows(Tensor index) {
      return new Tokens(row(q, index), row(k, index), row(v, index), scored.rows(index));
    }

    private static Var row(Var all, Tensor index) {
      return Var.constant(all.value().index_select(0, index));
    }
  }

  /**
   * Long-term memory with what storage brings for the chunks that new tokens touch; as it was where
   * that is nothing, to the last bit.
   *
   * @param start position of the first of them
   * @param sets that these chunks see
   */
  EideticVars join(
      Tape tape,
      EideticVars memory,
      Tokens tokens,
      EideticMemory.Sets sets,
      long start,
      @Nullable Packing packing,
      MixerState.@Nullable Attention past) {
    RetrievalState state = past == null ? null : past.retrieval;
    if (past != null && state != null && past.eidetic != null) {
      answers.take(state, past.eidetic.positions.get(), past.stores);
    }
    Brought brought = bring(tape, tokens, sets, start, packing, past);
    if (past != null && state != null) {
      if (brought != null) state.set(brought);
      note(state, tokens, start, past.hasStorage());
    }
    if (brought == null || brought.positions.lt(new Scalar(0L)).all().item_bool()) return memory;
    return new EideticVars(
        memory.q(),
        TorchFunction.apply(tape, t -> cat(2, t[0], t[1]), memory.k(), brought.k),
        TorchFunction.apply(tape, t -> cat(2, t[0], t[1]), memory.v(), brought.v),
        TorchFunction.apply(tape, t -> cat(3, t[0], t[1]), memory.bias(), brought.bias));
  }

  /** For all chunks; null if nothing can be stored yet. */
  @Nullable Brought bring(
      Tape tape,
      Tokens tokens,
      EideticMemory.Sets sets,
      long start,
      @Nullable Packing packing,
      MixerState.@Nullable Attention past) {
    RetrievalState state = past == null ? null : past.retrieval;
    int chunk = rule.chunk();
    boolean midway = start % chunk != 0; // The first chunk goes on with what it has.
    long count = tokens.q.value().size(1), chunks = sets.positions().size(1);
    long first = start / chunk + (midway ? 1 : 0), fresh = chunks - (midway ? 1 : 0);
    Brought brought = null;
    boolean stored = past != null && past.hasStorage();
    if (stored && packing != null) {
      throw new BadInput(
          "several documents in a row beside a store",
          "expected one document, which the store is of",
          "Read documents one by one, or let go of the store");
    }
    boolean any = stored || (start + count - 1) / chunk * chunk >= rule.window();
    if (any && fresh > 0) {
      Tensor document = packing == null ? null : documents(packing, start, first, fresh);
      Tensor queries = queries(tokens.q.value(), start, first, fresh, document, state);
      Tensor kept = sets.positions().narrow(1, chunks - fresh, fresh);
      brought =
          past != null && stored
              ? answers.all(queries, kept, first, past.stores, tokens.k.value())
              : own(tape, tokens, queries, kept, start, first, document, state);
    }
    if (state == null || !midway) return brought;
    Brought now =
        new Brought(
            Var.constant(state.k.get().unsqueeze(1)),
            Var.constant(state.v.get().unsqueeze(1)),
            Var.constant(state.bias.get().unsqueeze(1)),
            state.positions.get().unsqueeze(1));
    if (fresh == 0) return now;
    Brought then = brought == null ? nothing(now, fresh) : brought;
    return new Brought(
        TorchFunction.apply(tape, t -> cat(1, t[0], t[1]), now.k, then.k),
        TorchFunction.apply(tape, t -> cat(1, t[0], t[1]), now.v, then.v),
        TorchFunction.apply(tape, t -> cat(1, t[0], t[1]), now.bias, then.bias),
        cat(1, now.positions, then.positions));
  }

  private static Brought nothing(Brought like, long chunks) {
    Tensor positions = repeated(like.positions, chunks).mul(new Scalar(0L)).sub(new Scalar(1L));
    Tensor bias = torch.zeros_like(repeated(like.bias.value(), chunks));
    return new Brought(
        Var.constant(torch.zeros_like(repeated(like.k.value(), chunks))),
        Var.constant(torch.zeros_like(repeated(like.v.value(), chunks))),
        Var.constant(bias.add(scalar(Double.NEGATIVE_INFINITY))),
        positions);
  }

  private static Tensor repeated(Tensor one, long times) {
    return one.repeat_interleave(times, new LongOptional(1), new LongOptional());
  }

  /** Who asks at the beginning of each chunk, (B, M, G, Q, D). */
  private Tensor queries(
      Tensor q,
      long start,
      long first,
      long chunks,
      @Nullable Tensor document,
      @Nullable RetrievalState state) {
    Ring ring = state == null ? null : state.queries;
    long before = ring == null ? 0 : Math.min(start, ring.capacity());
    Tensor all = ring == null || before == 0 ? q : cat(1, ring.before(start, before), q);
    int newest = config.queries();
    long[] rows = new long[(int) chunks * newest];
    for (int m = 0; m < chunks; m++) {
      long last = (first + m) * rule.chunk();
      for (int s = 0; s < newest; s++) {
        // Before the beginning there were no queries: the first one stands in for them.
        rows[m * newest + s] = Math.max(0, last - newest + 1 + s) - (start - before);
      }
    }
    long batch = q.size(0), dim = q.size(3);
    Tensor asking =
        rows(all, Positions.index(q, rows), document, before - start)
            .reshape(batch, chunks, newest, groups, heads / groups, dim)
            .permute(0, 1, 3, 2, 4, 5)
            .reshape(batch, chunks, groups, -1, dim);
    asking = accumulated(asking);
    return config.summary() == StorageConfig.Summary.MAX ? asking : mean(asking);
  }

  /**
   * Rows (B, M·Q, H, D) of the newest queries.
   *
   * @param rows (M·Q), the same of every sequence
   * @param document (B, M), no query of an earlier document asks: its first stands in for those
   * @param shift from positions to rows
   */
  private static Tensor rows(Tensor all, Tensor rows, @Nullable Tensor document, long shift) {
    if (document == null) return all.index_select(1, rows);
    long batch = document.size(0), chunks = document.size(1);
    Tensor least = document.add(new Scalar(shift)).unsqueeze(-1); // (B, M, 1)
    Tensor own = torch.maximum(rows.reshape(1, chunks, -1), least).reshape(batch, -1, 1, 1);
    return all.gather(1, own.expand(batch, own.size(1), all.size(2), all.size(3)));
  }

  /** The position at which the document of each chunk's first token begins, (B, M). */
  private Tensor documents(Packing packing, long start, long first, long chunks) {
    long[] tokens = new long[(int) chunks];
    for (int m = 0; m < chunks; m++) tokens[m] = (first + m) * rule.chunk() - start;
    Tensor begin = packing.begin().index_select(1, Positions.index(packing.begin(), tokens));
    return begin.to(ScalarType.Long).add(new Scalar(start)).clamp_min(new Scalar(0L));
  }

  private static Tensor mean(Tensor queries) {
    return queries.sum(3).div(scalar(queries.size(3))).unsqueeze(3);
  }

  /** The best of the layer's own past. */
  private Brought own(
      Tape tape,
      Tokens tokens,
      Tensor queries,
      Tensor kept,
      long start,
      long first,
      @Nullable Tensor document,
      @Nullable RetrievalState state) {
    Tensor eligible = tokens.scored.eligible().gt(scalar(Double.NEGATIVE_INFINITY)); // (B, T)
    Tensor pastK = null, pastV = null, pastE = null;
    if (state != null && start > 0) {
      state.pastK.grow(start);
      state.pastV.grow(start);
      state.pastScores.grow(start);
      pastK = state.pastK.before(start, start);
      pastV = state.pastV.before(start, start);
      Tensor scores = state.pastScores.before(start, start);
      pastE = scores.select(2, 1);
      eligible = cat(1, scores.select(2, 0).gt(scalar(0)), eligible);
    }
    Tensor k = tokens.k.value();
    Tensor keys = accumulated(pastK == null ? k : cat(1, pastK, k)); // (B, L, G, D)
    Tensor hidden = hidden(eligible, kept, first, document); // (B, M, L)
    Tensor positions = best(queries, keys, hidden);
    Tensor empty = positions.lt(new Scalar(0L)); // (B, M, G, R)
    Tensor rows = positions.clamp_min(new Scalar(0L));
    Var e = gathered(tape, pastE, tokens.scored.e(), rows, Retrieval::numbers);
    return new Brought(
        gathered(tape, pastK, tokens.k, rows, Retrieval::vectors),
        gathered(tape, pastV, tokens.v, rows, Retrieval::vectors),
        eidetic.bias(
            tape,
            TorchFunction.apply(tape, t -> ofHeads(t[0], heads / groups), e),
            ofHeads(empty, heads / groups)),
        positions);
  }

  /** What must not be found: too young, under the threshold, strange, or in eidetic memory. */
  private Tensor hidden(Tensor eligible, Tensor kept, long first, @Nullable Tensor document) {
    long batch = kept.size(0), chunks = kept.size(1), all = eligible.size(1);
    Tensor limits = range(kept, first, first + chunks).mul(new Scalar((long) rule.chunk()));
    limits = limits.sub(new Scalar((long) rule.window())).unsqueeze(1); // (M, 1)
    Tensor young = range(kept, 0, all).unsqueeze(0).gt(limits); // (M, L)
    Tensor empty = kept.lt(new Scalar(0L));
    Tensor members = zeros(kept, ScalarType.Bool, batch, chunks, all + 1);
    Tensor one = torch.ones_like(kept).to(ScalarType.Bool);
    members = members.scatter(2, kept.masked_fill(empty, new Scalar(all)), one);
    Tensor barred = eligible.logical_not().unsqueeze(1).logical_or(young.unsqueeze(0));
    barred = barred.logical_or(members.narrow(2, 0, all));
    if (document == null) return barred;
    return barred.logical_or(range(kept, 0, all).lt(document.unsqueeze(-1)));
  }

  /** Positions (B, M, G, R) of the best, best first, −1 where there are no more. */
  private Tensor best(Tensor queries, Tensor keys, Tensor hidden) {
    Tensor scores = null;
    for (long i = 0; i < queries.size(3); i++) {
      Tensor own = einsum("bmgd,blgd->bmgl", queries.select(3, i), keys);
      scores = scores == null ? own : torch.maximum(scores, own);
    }
    if (scores == null) throw new IllegalStateException("nobody asks");
    Scalar never = scalar(Double.NEGATIVE_INFINITY);
    scores = scores.masked_fill(hidden.unsqueeze(2), never);
    long found = Math.min(config.retrieved(), keys.size(1));
    var top = scores.topk(found, -1, true, true);
    Tensor positions = top.get1().masked_fill(top.get0().eq(never), new Scalar(-1L));
    if (found == config.retrieved()) return positions;
    long[] rest = {
      positions.size(0), positions.size(1), positions.size(2), config.retrieved() - found
    };
    return cat(-1, positions, zeros(positions, rest).sub(new Scalar(1L)));
  }

  private interface Gather {
    Tensor from(Tensor all, Tensor rows);
  }

  private static Var gathered(
      Tape tape, @Nullable Tensor past, Var fresh, Tensor rows, Gather gather) {
    return TorchFunction.apply(
        tape,
        t -> gather.from(past == null ? t[0] : cat(1, past.to(t[0].scalar_type()), t[0]), rows),
        fresh);
  }

  /** (B, L, G, D) → (B, M, R, G, D). */
  private static Tensor vectors(Tensor all, Tensor rows) {
    long batch = rows.size(0), chunks = rows.size(1), groups = rows.size(2), best = rows.size(3);
    long dim = all.size(3);
    Tensor index = rows.permute(0, 1, 3, 2).reshape(batch, chunks * best, groups, 1);
    return all.gather(1, index.expand(batch, chunks * best, groups, dim))
        .reshape(batch, chunks, best, groups, dim);
  }

  /** (B, L) → (B, M, G, R). */
  private static Tensor numbers(Tensor all, Tensor rows) {
    return all.gather(1, rows.reshape(rows.size(0), -1)).reshape(rows.shape());
  }

  /** (B, M, G, R) → (B, M, H, R). */
  static Tensor ofHeads(Tensor ofGroups, long each) {
    return ofGroups.repeat_interleave(each, new LongOptional(2), new LongOptional());
  }

  /** Takes new tokens of sequences in step. */
  private static void note(RetrievalState state, Tokens tokens, long start, boolean stored) {
    if (state.queries != null) state.queries.put(start, tokens.q.value());
    if (stored) return;
    state.pastK.put(start, tokens.k.value());
    state.pastV.put(start, tokens.v.value());
    state.pastScores.put(start, scores(tokens.scored));
  }

  /** Takes the next token of each sequence. */
  private static void noteOne(
      RetrievalState state, Tokens tokens, Positions positions, boolean stored) {
    if (state.queries != null) state.queries.putOne(positions, tokens.q.value());
    if (stored) return;
    state.pastK.putOne(positions, tokens.k.value());
    state.pastV.putOne(positions, tokens.v.value());
    state.pastScores.putOne(positions, scores(tokens.scored));
  }

  /** (B, T, 2). */
  private static Tensor scores(EideticMemory.Scored scored) {
    Tensor e = scored.e().value();
    Tensor eligible = scored.eligible().gt(scalar(Double.NEGATIVE_INFINITY));
    return stack(-1, eligible.to(e.scalar_type()), e.detach());
  }

  /** Asks for a chunk that begins with the next token, one of each sequence. */
  void refresh(
      Tape tape, Tokens token, EideticMemory.Sets sets, long start, MixerState.Attention past) {
    RetrievalState state = past.retrieval;
    if (state == null) return;
    if (past.hasStorage()) {
      long chunk = start / rule.chunk();
      answers.ask(queries(token.q.value(), start, chunk, 1, null, state), chunk, past.stores);
      return;
    }
    Brought brought = bring(tape, token, sets, start, null, past);
    if (brought != null) state.set(brought);
  }

  /** What one token of each sequence sees of storage and eidetic memory. */
  MemoryAttention.Eidetic joinOne(
      MemoryAttention.Eidetic memory,
      Tokens token,
      Positions positions,
      MixerState.Attention past) {
    RetrievalState state = past.retrieval;
    EideticMemory.State held = past.eidetic;
    if (state == null || held == null) return memory;
    if (past.hasStorage()) answers.take(state, held.positions.get(), past.stores);
    noteOne(state, token, positions, past.hasStorage());
    if (state.isEmpty()) return memory;
    return new MemoryAttention.Eidetic(
        memory.q(),
        cat(1, memory.k(), state.k.get()),
        cat(1, memory.v(), state.v.get()),
        cat(2, memory.bias(), state.bias.get()));
  }
}
