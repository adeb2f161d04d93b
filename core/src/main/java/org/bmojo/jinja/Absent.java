package org.bmojo.jinja;

/** What is there without being anything. */
public enum Absent {
  /** {@code none}. */
  NONE("None"),
  /** A variable, attribute or element that does not exist. */
  UNDEFINED("");

  private final String text;

  Absent(String text) {
    this.text = text;
  }

  @Override
  public String toString() {
    return text;
  }
}
