package org.bmojo.model;

import java.util.Map;
import java.util.SplittableRandom;
import org.bmojo.error.BadInput;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Device;

/**
 * A model in training whose windows are of another length in each batch, so that it cannot rely on
 * tokens at the window's far end and has a use for its other memories. Between batches the windows
 * are their own.
 */
public final class RandomWindow implements Trainable {
  private final LanguageModel model;
  private final Trainable trained;
  private final double least;
  private final SplittableRandom random;

  /**
   * Trains {@code trained} with windows between {@code least} of their length and all of it.
   *
   * @param model whose windows are meant, and which {@code trained} trains
   * @param least share of a window, above 0 and at most 1
   * @param seed decides how long the windows are
   * @throws BadInput if {@code least} is no such share
   */
  public RandomWindow(LanguageModel model, Trainable trained, double least, long seed) {
    if (!(least > 0 && least <= 1)) {
      throw new BadInput(
          "windows of at least " + least + " of their length", "expected 0 to 1", "Try 0.25");
    }
    this.model = model;
    this.trained = trained;
    this.least = least;
    this.random = new SplittableRandom(seed);
  }

  @Override
  public Map<String, Parameter> parameters() {
    return trained.parameters();
  }

  @Override
  public Device device() {
    return trained.device();
  }

  @Override
  public Var loss(Tape tape, Batch batch) {
    model.narrowWindows(least + (1 - least) * random.nextDouble());
    try {
      return trained.loss(tape, batch);
    } finally {
      model.narrowWindows(1); // The tape knows what the windows were.
    }
  }
}
