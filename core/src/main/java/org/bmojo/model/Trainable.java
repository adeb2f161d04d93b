package org.bmojo.model;

import java.util.Map;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Device;

/** What training needs of a model. */
public interface Trainable {
  /** All weights by name. */
  Map<String, Parameter> parameters();

  /** Where they are. */
  Device device();

  /**
   * The mean cross-entropy over labelled positions, in nats, a scalar. Losses that layers have of
   * their own are added to the tape.
   */
  Var loss(Tape tape, Batch batch);

  /**
   * Refuses a batch that {@link #loss} would compute nonsense from, as far as the host can see.
   *
   * @throws org.bmojo.error.BadInput if it is one
   */
  default void check(Batch batch) {}

  /**
   * Whether batches of one shape always take the same operations on the same memory, with nothing
   * drawn, carried on or looked up by the host: such passes can be recorded and run again.
   */
  default boolean repeats() {
    return false;
  }
}
