package org.bmojo.model;

import static org.bmojo.kernels.torch.Tensors.accumulated;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.cuda.Readback;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A {@link StepPlan} on one state of fixed size, whose rows are slots: a sequence that joins is
 * copied into a free one, and one that leaves just leaves it. So most comings and goings change
 * nothing that was recorded. Slots without a sequence compute along and are not looked at.
 */
final class RecordedDecoder implements Decoder {
  private final LanguageModel model;
  private @Nullable ModelState state; // null before the first sequence
  private @Nullable StepPlan plan;
  private int[] slots = {}; // of each sequence
  private final Deque<Readback> underWay = new ArrayDeque<>(); // the last one first

  RecordedDecoder(LanguageModel model) {
    this.model = model;
  }

  @Override
  public int size() {
    return slots.length;
  }

  private ModelState state() {
    if (state == null) throw new IllegalStateException("no sequence has joined");
    return state;
  }

  @Override
  public void join(ModelState more) {
    int before = size(), after = before + more.batch();
    if (after == before) return;
    if (state == null || after > state.batch()) resize(after);
    slots = Arrays.copyOf(slots, after);
    boolean[] taken = new boolean[state().batch()];
    for (int i = 0; i < before; i++) taken[slots[i]] = true;
    int free = 0;
    state().reserve(more.longest() + 1);
    for (int i = before; i < after; i++) {
      while (taken[free]) free++;
      slots[i] = free++;
      state().put(slots[i], more, i - before);
    }
    replan();
  }

  /** Moves into a state with at least so many slots, the next power of two. */
  private void resize(int sequences) {
    int capacity = Integer.highestOneBit(2 * sequences - 1);
    ModelState next = model.newState(capacity);
    closePlan();
    for (int i = 0; i < slots.length; i++) {
      next.put(i, state(), slots[i]);
      slots[i] = i;
    }
    if (state != null) state.close();
    state = next;
  }

  /** After slots were taken or left: a new plan only where tensors of the state were replaced. */
  private void replan() {
    ModelState own = state();
    long longest = 0;
    for (int slot : slots) longest = Math.max(longest, own.position(slot));
    if (longest + 1 > own.room()) {
      own.reserve(2 * (longest + 1));
      closePlan();
    }
    if (plan != null && !plan.reads(own)) closePlan();
    if (plan == null) plan = new StepPlan(model, own);
    long[] positions = new long[own.batch()], active = new long[own.batch()];
    for (int slot : slots) {
      positions[slot] = own.position(slot);
      active[slot] = 1;
    }
    plan.place(positions, active);
  }

  private void closePlan() {
    if (plan != null) plan.close();
    plan = null;
  }

  @Override
  public void retain(int... kept) {
    int[] before = slots;
    slots = Arrays.stream(kept).map(i -> before[i]).toArray();
    if (slots.length == 0) {
      closePlan();
      if (state != null) state.close();
      state = null;
      return;
    }
    int roomy = state().batch();
    if (roomy > 1 && slots.length <= roomy / 4) resize(slots.length);
    replan();
  }

  @Override
  public ModelState copy(int sequence) {
    return state().copy(slots[sequence]);
  }

  @Override
  public Tensor step(Tensor ids) {
    advance(ids);
    try (Scope scope = new Scope()) {
      StepPlan own = ready();
      Tensor logits = own.logits;
      if (!inOrder(own)) {
        long[] rows = Arrays.stream(slots).asLongStream().toArray();
        Tensor index = Tensor.create(rows, rows.length);
        logits = logits.index_select(0, index.to(logits.device(), ScalarType.Long));
      }
      Tensor wide = accumulated(logits);
      return scope.keep(wide.is_alias_of(own.logits) ? wide.clone() : wide);
    }
  }

  private boolean inOrder(StepPlan own) {
    for (int i = 0; i < slots.length; i++) if (slots[i] != i) return false;
    return slots.length == own.logits.size(0);
  }

  private StepPlan ready() {
    if (plan == null) throw new IllegalStateException("no sequence has joined");
    return plan;
  }

  @Override
  public void queueLikeliest(@Nullable Tensor ids) {
    advance(ids);
    underWay.addFirst(new Readback(ready().ids));
  }

  @Override
  public int[] takeLikeliest() {
    try (Readback first = underWay.removeLast()) {
      long[] all = first.await();
      int[] chosen = new int[slots.length];
      for (int i = 0; i < slots.length; i++) {
        chosen[i] = (int) all[slots[i]];
        if (chosen[i] < 0) throw Ids.notNumbers();
      }
      return chosen;
    }
  }

  /** Queues a step; {@code ids} null goes on with what the last one chose. */
  private void advance(@Nullable Tensor ids) {
    try (Scope _ = new Scope()) {
      if (ids != null) {
        model.refuseForeignIds(ids);
        if (ids.size(0) != slots.length) {
          throw new BadInput(
              ids.size(0) + " ids", "expected " + slots.length, "Pass one for each sequence");
        }
      }
      long[] next = Arrays.stream(slots).mapToLong(state()::position).toArray();
      long furthest = Arrays.stream(next).max().orElse(0);
      if (furthest + 1 > state().room()) {
        Tensor chosen = ready().ids.clone();
        replan();
        ready().ids.copy_(chosen);
      }
      StepPlan own = ready();
      if (ids != null) own.give(ids, slots);
      own.step(next);
      state().advance(slots);
    }
  }

  @Override
  public long bytes() {
    return state == null ? 0 : state.bytes();
  }

  @Override
  public void close() {
    underWay.forEach(Readback::close);
    underWay.clear();
    closePlan();
    if (state != null) state.close();
    state = null;
    slots = new int[0];
  }
}
