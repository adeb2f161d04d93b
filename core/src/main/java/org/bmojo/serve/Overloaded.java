package org.bmojo.serve;

/** As many sequences wait as may; whoever asked should ask again later. */
public final class Overloaded extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int retryAfterSeconds;

  Overloaded(String message, int retryAfterSeconds) {
    super(message);
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /** When a place may be free. */
  public int retryAfterSeconds() {
    return retryAfterSeconds;
  }
}
