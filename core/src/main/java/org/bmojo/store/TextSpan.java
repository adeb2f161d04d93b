package org.bmojo.store;

import org.bmojo.error.BadInput;

/**
 * Where in a document a token stood.
 *
 * @param document its name, such as a path
 * @param begin first character
 * @param end character after the last
 */
public record TextSpan(String document, long begin, long end) {
  /** Refuses spans that end before they begin. */
  public TextSpan {
    if (begin < 0 || end < begin) {
      throw new BadInput(
          "text span [" + begin + ", " + end + ") of " + document,
          "expected 0 ≤ begin ≤ end",
          "Pass the token's characters");
    }
  }
}
