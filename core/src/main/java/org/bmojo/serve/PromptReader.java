package org.bmojo.serve;

import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelState;
import org.bmojo.serve.Generation.Reason;
import org.bmojo.tape.Tape;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Reads a prompt, chunk by chunk, and chooses the first token at its end. */
final class PromptReader {
  private PromptReader() {}

  /**
   * After a chunk.
   *
   * @param tokens read now
   * @param done whether this was the last chunk
   * @param reason why there is nothing to answer, or null
   */
  record Progress(int tokens, boolean done, @Nullable Reason reason) {}

  static Progress read(LanguageModel model, Sequence s, int most) {
    ModelState state = s.state;
    if (state == null) throw new IllegalStateException("a sequence without a slot");
    int[] chunk = s.nextChunk(most);
    try (Scope _ = new Scope();
        Tape tape = Tape.off()) {
      if (!s.hasRead()) {
        if (chunk.length > 0) model.hidden(tape, Ids.tensor(chunk), state);
        boolean remembered = s.hasRemembered();
        return new Progress(chunk.length, remembered, remembered ? Reason.LENGTH : null);
      }
      Tensor logits = model.lastLogits(Ids.tensor(chunk), state); // (1, V)
      return new Progress(chunk.length, true, s.choose(row(logits, 0)));
    }
  }

  /** Row {@code r} of logits (B, V). */
  static float[] row(Tensor logits, int r) {
    Tensor host = logits.select(0, r).to(ScalarType.Float).cpu().contiguous();
    float[] row = new float[(int) host.numel()];
    Floats.of(host).read(0, row, 0, row.length);
    return row;
  }
}
