package org.bmojo.jinja;

/** A template could not be read, or refused what it was given. */
public final class TemplateError extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final boolean raised;

  TemplateError(String message) {
    this(message, false);
  }

  private TemplateError(String message, boolean raised) {
    super(message);
    this.raised = raised;
  }

  /** The template itself called {@code raise_exception}. */
  static TemplateError raisedBy(String message) {
    return new TemplateError(message, true);
  }

  /** Whether the template refused its input, in its author's words. */
  public boolean isRaised() {
    return raised;
  }
}
