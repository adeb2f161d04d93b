package org.bmojo.generate;

import java.util.Arrays;
import java.util.function.IntPredicate;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Decoder;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelState;
import org.bmojo.tape.Tape;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Continues sequences of token ids. Knows nothing of text; one may serve many threads. */
public final class Generator {
  /** Tokens of a prompt that are read at once: bounds memory however long the prompt is. */
  private static final int CHUNK = 512;

  private final LanguageModel model;

  /** Generates with {@code model}, which stays the caller's to close. */
  public Generator(LanguageModel model) {
    this.model = model;
  }

  /** Is handed the new ids, one a sequence, as soon as they are chosen. */
  @FunctionalInterface
  public interface Listener {
    /** Returns whether to go on. */
    boolean chosen(int[] ids);
  }

  /**
   * Continues several prompts of one length together.
   *
   * @param prompts at least one id each
   * @param count ids to add to each
   * @return prompts and continuations
   * @throws BadInput if an id is not in the vocabulary, or a prompt is empty
   */
  public int[][] generate(int[][] prompts, int count, Sampler sampler) {
    int length = prompts.length == 0 ? 0 : prompts[0].length;
    int[][] sequences = new int[prompts.length][];
    for (int r = 0; r < prompts.length; r++) {
      sequences[r] = Arrays.copyOf(prompts[r], prompts[r].length + count);
    }
    int[] at = {length};
    run(
        prompts,
        count,
        sampler,
        ids -> {
          for (int r = 0; r < ids.length; r++) sequences[r][at[0]] = ids[r];
          at[0]++;
          return true;
        });
    return sequences;
  }

  /**
   * Continues one prompt.
   *
   * @param goOn is handed each id as soon as it is chosen; false ends the generation
   */
  public void generate(int[] prompt, int count, Sampler sampler, IntPredicate goOn) {
    run(new int[][] {prompt}, count, sampler, ids -> goOn.test(ids[0]));
  }

  private void run(int[][] prompts, int count, Sampler sampler, Listener listener) {
    if (prompts.length == 0 || prompts[0].length == 0) {
      throw new BadInput("an empty prompt", "expected at least one id", "Pass a sequence");
    }
    if (count < 0) {
      throw new BadInput(count + " tokens to generate", "expected 0 or more", "Correct the count");
    }
    if (count == 0) return;
    try (Scope _ = new Scope();
        Decoder decoder = Decoder.of(model)) {
      int[] next;
      try (Scope _ = new Scope();
          ModelState state = model.newState(prompts.length)) {
        next = choose(read(Ids.tensor(prompts), state), sampler);
        decoder.join(state);
      }
      if (sampler == Sampler.greedy()) {
        continueGreedily(decoder, next, count, listener);
        return;
      }
      for (int i = 1; listener.chosen(next) && i < count; i++) {
        try (Scope _ = new Scope()) {
          next = choose(decoder.step(Ids.column(next)), sampler);
        }
      }
    }
  }

  /** Queues a step ahead, so that the next one is under way while the listener has the last. */
  private static void continueGreedily(Decoder decoder, int[] first, int count, Listener listener) {
    try (Scope _ = new Scope()) {
      if (!listener.chosen(first) || count == 1) return;
      decoder.queueLikeliest(Ids.column(first));
      for (int i = 1; i < count; i++) {
        if (i + 1 < count) decoder.queueLikeliest(null);
        if (!listener.chosen(decoder.takeLikeliest())) return;
      }
    }
  }

  /** Reads prompts (B, T); the logits after the last token, (B, V). */
  private Tensor read(Tensor ids, ModelState state) {
    long length = ids.size(1);
    long last = (length - 1) / CHUNK * CHUNK;
    for (long from = 0; from < last; from += CHUNK) {
      try (Scope _ = new Scope();
          Tape tape = Tape.off()) {
        model.hidden(tape, ids.narrow(1, from, CHUNK), state);
      }
    }
    return model.lastLogits(ids.narrow(1, last, length - last), state);
  }

  private static int[] choose(Tensor logits, Sampler sampler) {
    try (Scope _ = new Scope()) {
      Floats values = Floats.of(logits.to(ScalarType.Float).cpu()); // (B, V)
      int rows = (int) logits.size(0);
      int vocabulary = (int) logits.size(1);
      int[] chosen = new int[rows];
      float[] row = new float[vocabulary];
      for (int r = 0; r < rows; r++) {
        values.read((long) r * vocabulary, row, 0, vocabulary);
        requireNumbers(row);
        chosen[r] = sampler.choose(row);
      }
      return chosen;
    }
  }

  private static void requireNumbers(float[] logits) {
    for (float logit : logits) {
      if (Float.isNaN(logit)) {
        throw new BadInput(
            "the model's logits are not numbers",
            "expected weights that training left finite",
            "Use an earlier checkpoint, trained with a lower learning rate");
      }
    }
  }
}
