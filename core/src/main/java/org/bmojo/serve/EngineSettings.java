package org.bmojo.serve;

import java.time.Duration;
import org.bmojo.error.BadInput;
import org.bmojo.model.Footprint;
import org.bmojo.model.ModelConfig;

/**
 * The limits of an {@link Engine}.
 *
 * @param slots sequences in work at once
 * @param queue sequences that may wait for a slot; more are refused
 * @param chunk tokens of a prompt read between two steps of those that are answering: more is
 *     faster for the prompt and keeps the others waiting longer
 * @param longest tokens of prompt and answer together
 * @param time what one request may take, waiting included
 */
public record EngineSettings(int slots, int queue, int chunk, int longest, Duration time) {
  /** Refuses limits that let nothing through. */
  public EngineSettings {
    if (slots < 1 || queue < 0 || chunk < 1 || longest < 2 || !time.isPositive()) {
      throw new BadInput(
          "%d slots, a queue of %d, chunks of %d tokens, %d tokens and %s at most"
              .formatted(slots, queue, chunk, longest, time),
          "expected at least 1 slot, 0 in the queue, chunks of 1, 2 tokens and some time",
          "Correct the limits");
    }
  }

  /** 8 slots, 64 waiting, chunks of 256, a million tokens, ten minutes. */
  public static EngineSettings standard() {
    return new EngineSettings(8, 64, 256, 1 << 20, Duration.ofMinutes(10));
  }

  /** The same with another number of slots. */
  public EngineSettings withSlots(int count) {
    return new EngineSettings(count, queue, chunk, longest, time);
  }

  /** The same with another queue. */
  public EngineSettings withQueue(int length) {
    return new EngineSettings(slots, length, chunk, longest, time);
  }

  /** The same with another length. */
  public EngineSettings withLongest(int tokens) {
    return new EngineSettings(slots, queue, chunk, tokens, time);
  }

  /** The same with another time. */
  public EngineSettings withTime(Duration limit) {
    return new EngineSettings(slots, queue, chunk, longest, limit);
  }

  /**
   * Native memory that states take at most: the slots', and a second copy of the one tensor that is
   * being rebuilt while a sequence joins or leaves.
   */
  public long stateBytes(ModelConfig model) {
    return Math.multiplyExact(slots + 1L, Footprint.stateBytes(model, longest));
  }
}
