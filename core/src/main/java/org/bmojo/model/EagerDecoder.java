package org.bmojo.model;

import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** {@link LanguageModel#step} on one state whose rows are the sequences. */
final class EagerDecoder implements Decoder {
  private final LanguageModel model;
  private final ModelState state;
  private int[] chosen = {};

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
  public int[] stepToLikeliest(@Nullable Tensor ids) {
    try (Scope _ = new Scope()) {
      Tensor logits = step(ids == null ? Ids.column(chosen) : ids);
      chosen = Ids.likeliest(logits);
      return chosen;
    }
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
