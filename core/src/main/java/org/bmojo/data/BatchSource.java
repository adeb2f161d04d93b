package org.bmojo.data;

/**
 * An endless sequence of batches that depends on a seed alone and continues from any place in it:
 * after {@code seek(p)}, {@link #next} gives what it gave when {@link #position} was {@code p}.
 */
public interface BatchSource {
  /**
   * A place in the sequence; goes into a checkpoint.
   *
   * @param epoch how many times everything has been seen
   * @param window how many sequences of this epoch have been given out
   */
  record Position(long epoch, long window) {
    /** The beginning. */
    public static final Position START = new Position(0, 0);
  }

  /** The next batch, attached to the innermost scope of native memory. */
  Batch next();

  /** Where {@link #next} will read. */
  Position position();

  /** Makes {@link #next} read at {@code position}. */
  void seek(Position position);
}
