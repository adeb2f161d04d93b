package org.bmojo.model;

import java.util.ArrayDeque;
import java.util.Deque;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** {@link LanguageModel#step} on one state whose rows are the sequences. */
final class EagerDecoder implements Decoder {
  private final LanguageModel model;
  private final ModelState state;
  private final Deque<int[]> chosen = new ArrayDeque<>(); // the last one first
  private int[] last = {};

  EagerDecoder(LanguageModel model) {
    this.model = model;
    state = model.newState(0);
  }

  @Override
  public int size() {
    return state.batch();
  }

  @Override
  public void join(ModelState more) {
    state.append(more);
  }

  @Override
  public void retain(int... kept) {
    state.retain(kept);
  }

  @Override
  public ModelState copy(int sequence) {
    return state.copy(sequence);
  }

  @Override
  public Tensor step(Tensor ids) {
    return model.step(ids, state);
  }

  @Override
  public void queueLikeliest(@Nullable Tensor ids) {
    try (Scope _ = new Scope()) {
      last = Ids.likeliest(step(ids == null ? Ids.column(last) : ids));
      chosen.addFirst(last);
    }
  }

  @Override
  public int[] takeLikeliest() {
    return chosen.removeLast();
  }

  @Override
  public long bytes() {
    return size() == 0 ? 0 : state.bytes();
  }

  @Override
  public void close() {
    state.close();
  }
}
