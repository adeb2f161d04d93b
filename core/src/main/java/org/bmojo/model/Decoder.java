package org.bmojo.model;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Goes on with several sequences by one token of each at a time, which may join and leave between
 * tokens. On a GPU the whole step is recorded work for models of the common families; everywhere
 * else it is {@link LanguageModel#step}. Results are the same up to rounding.
 *
 * <p>Sequences are counted from 0 in the order in which they joined.
 */
public sealed interface Decoder extends AutoCloseable permits EagerDecoder, RecordedDecoder {
  /** The fastest for this model where it is; the model stays the caller's to close. */
  static Decoder of(LanguageModel model) {
    return StepPlan.unsupported(model) == null
        ? new RecordedDecoder(model)
        : new EagerDecoder(model);
  }

  /** How many sequences there are. */
  int size();

  /**
   * Takes the memory of a sequence, or of several.
   *
   * @param more of this model; unchanged, and still the caller's to close
   */
  void join(ModelState more);

  /** Goes on with these sequences only, in this order. */
  void retain(int... kept);

  /**
   * A copy of a sequence's memory.
   *
   * @return the caller's to close
   */
  ModelState copy(int sequence);

  /**
   * Reads one token of each sequence.
   *
   * @param ids (B, 1) int64 on the CPU
   * @return logits of the next, (B, V) float32 or float64, valid until the next step
   */
  Tensor step(Tensor ids);

  /**
   * Has one token of each sequence read and the likeliest next one chosen, the first of equals. On
   * a GPU this only queues work: what follows may be queued before anybody has looked at the
   * choice, so that the GPU does not wait for the host.
   *
   * @param ids (B, 1) int64 on the CPU; null for those that the last such call will choose
   */
  void queueLikeliest(@Nullable Tensor ids);

  /**
   * What the longest-queued of these calls chose that nobody has taken yet.
   *
   * @throws org.bmojo.error.BadInput if the model's logits are not numbers
   */
  int[] takeLikeliest();

  /** Bytes of all memories. */
  long bytes();

  /** Frees the memories. */
  @Override
  void close();
}
