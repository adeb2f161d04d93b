package org.bmojo.error;

/**
 * Something a user handed in cannot be used: a file, an option, a tensor. The message says what was
 * found, what was expected and how to mend it; the command line prints it and exits with 2, the
 * server answers with 400. Anything else that escapes is a defect of ours.
 */
public final class BadInput extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  /**
   * @param found what was found, and where ("w.safetensors: tensor q_proj has shape [4, 8]")
   * @param expected what was expected instead ("expected [8, 8]")
   * @param cure what the user can do about it ("export the model again")
   */
  public BadInput(String found, String expected, String cure) {
    super(found + "; " + expected + ". " + cure + ".");
  }

  /** The same with the exception that revealed it. */
  public BadInput(String found, String expected, String cure, Throwable cause) {
    super(found + "; " + expected + ". " + cure + ".", cause);
  }

  private BadInput(String message, Throwable cause) {
    super(message, cause);
  }

  /** The same, beginning with where it was found. */
  public BadInput in(String where) {
    return new BadInput(where + ": " + getMessage(), this);
  }
}
