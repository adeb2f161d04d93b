package org.bmojo.serve;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Decoder;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelState;
import org.bmojo.serve.Generation.Reason;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** The sequences that are answering: the r-th one is the decoder's r-th. */
final class AnsweringBatch implements AutoCloseable {
  private final Decoder decoder;
  private final List<Sequence> sequences = new ArrayList<>();

  AnsweringBatch(LanguageModel model) {
    decoder = Decoder.of(model);
  }

  boolean isEmpty() {
    return sequences.isEmpty();
  }

  int size() {
    return sequences.size();
  }

  List<Sequence> sequences() {
    return List.copyOf(sequences);
  }

  long bytes() {
    return sequences.isEmpty() ? 0 : decoder.bytes();
  }

  /** Takes a sequence that has read its prompt and chosen its first token. */
  void join(Sequence s) {
    ModelState own = s.state;
    if (own == null) throw new IllegalStateException("a sequence without a slot");
    decoder.join(own);
    own.close();
    s.state = null;
    sequences.add(s);
  }

  /** One token of each; those that have ended leave and are told so. */
  void step(Consumer<Reason> ended) {
    int[] last = sequences.stream().mapToInt(Sequence::last).toArray();
    @Nullable Outcome[] outcomes = new Outcome[last.length];
    try (Scope _ = new Scope()) {
      Tensor logits = decoder.step(Ids.column(last)).to(ScalarType.Float).cpu(); // (B, V)
      Floats values = Floats.of(logits);
      float[] row = new float[(int) logits.size(1)];
      for (int r = 0; r < last.length; r++) {
        values.read((long) r * row.length, row, 0, row.length);
        outcomes[r] = choose(sequences.get(r), row);
      }
    }
    leave(outcomes, ended);
  }

  /** How a sequence ended. */
  private record Outcome(Reason reason, @Nullable RuntimeException failure) {}

  /** One sequence's trouble is not the others'. */
  private static @Nullable Outcome choose(Sequence s, float[] row) {
    try {
      Reason reason = s.choose(row);
      return reason == null ? null : new Outcome(reason, null);
    } catch (RuntimeException e) {
      return new Outcome(Reason.FAILED, e);
    }
  }

  private void leave(@Nullable Outcome[] outcomes, Consumer<Reason> ended) {
    List<Sequence> before = List.copyOf(sequences);
    List<@Nullable ModelState> kept = new ArrayList<>();
    for (int r = 0; r < outcomes.length; r++) {
      Outcome outcome = outcomes[r];
      boolean keep = outcome != null && outcome.failure == null && before.get(r).request.keep();
      kept.add(keep ? decoder.copy(r) : null);
    }
    leaveIf(s -> outcomes[before.indexOf(s)] != null);
    for (int r = 0; r < outcomes.length; r++) {
      Outcome outcome = outcomes[r];
      if (outcome == null) continue;
      ended.accept(outcome.reason);
      before.get(r).end(outcome.reason, kept.get(r), outcome.failure);
    }
  }

  /** Frees the rows of some; returns these. */
  List<Sequence> leaveIf(Predicate<Sequence> leaves) {
    List<Sequence> gone = new ArrayList<>();
    List<Integer> staying = new ArrayList<>();
    for (int r = 0; r < sequences.size(); r++) {
      if (leaves.test(sequences.get(r))) {
        gone.add(sequences.get(r));
      } else {
        staying.add(r);
      }
    }
    if (gone.isEmpty()) return gone;
    decoder.retain(staying.stream().mapToInt(r -> r).toArray());
    sequences.removeAll(gone);
    return gone;
  }

  @Override
  public void close() {
    decoder.close();
  }
}
