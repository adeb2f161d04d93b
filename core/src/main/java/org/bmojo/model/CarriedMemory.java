package org.bmojo.model;

import java.util.Map;
import java.util.SplittableRandom;
import org.bmojo.error.BadInput;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Device;
import org.jspecify.annotations.Nullable;

/**
 * A model in training that goes on, with each batch, from what it remembers of the one before:
 * truncated backpropagation through time. What it remembers is constant; gradients end where the
 * batch begins.
 *
 * <p>The batches' rows must go on from one to the next, as {@link org.bmojo.data.RowBatches} makes
 * them. Memory is that of one process and is not saved: a resumed run begins with an empty one.
 */
public final class CarriedMemory implements Trainable, AutoCloseable {
  private final LanguageModel model;
  private final double resets;
  private final SplittableRandom random;
  private @Nullable ModelState state;

  /**
   * Trains {@code model}, which stays the caller's to close.
   *
   * @param resets how likely memory is emptied before a batch, so that the model also learns to
   *     begin
   * @param seed decides when
   * @throws BadInput if {@code resets} is no probability
   */
  public CarriedMemory(LanguageModel model, double resets, long seed) {
    if (!(resets >= 0 && resets <= 1)) {
      throw new BadInput(
          "memory that is emptied with probability " + resets, "expected 0 to 1", "Correct it");
    }
    this.model = model;
    this.resets = resets;
    this.random = new SplittableRandom(seed);
  }

  @Override
  public Map<String, Parameter> parameters() {
    return model.parameters();
  }

  @Override
  public Device device() {
    return model.device();
  }

  @Override
  public Var loss(Tape tape, Batch batch) {
    boolean reset = random.nextDouble() < resets;
    ModelState before = state;
    int rows = (int) batch.ids().size(0);
    if (before == null || reset || before.batch() != rows) {
      close();
      state = before = model.newState(rows);
    }
    return model.loss(tape, batch, before);
  }

  /** Forgets. */
  @Override
  public void close() {
    if (state != null) state.close();
    state = null;
  }
}
