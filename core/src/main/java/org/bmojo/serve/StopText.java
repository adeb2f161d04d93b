package org.bmojo.serve;

import java.util.List;
import org.bmojo.error.BadInput;

/**
 * Text that arrives in pieces, up to the first of some stop strings, which may lie across pieces:
 * the end of what has arrived is held back for as long as it may be the beginning of one.
 */
public final class StopText {
  private final List<String> stops;
  private final StringBuilder held = new StringBuilder();
  private boolean stopped;

  /**
   * Nothing has arrived.
   *
   * @throws BadInput if a stop string is empty
   */
  public StopText(List<String> stops) {
    this.stops = List.copyOf(stops);
    for (String stop : stops) {
      if (!stop.isEmpty()) continue;
      throw new BadInput("an empty stop string", "expected some text", "Leave it out");
    }
  }

  /** Whether a stop string has arrived. */
  public boolean isStopped() {
    return stopped;
  }

  /** Takes the next piece; returns the text that certainly stands before any stop string. */
  public String accept(String piece) {
    if (stopped) return "";
    held.append(piece);
    int end = firstStop();
    if (end >= 0) {
      stopped = true;
      return release(end);
    }
    return release(held.length() - longestBeginning());
  }

  /** What was held back, once no more will arrive. */
  public String finish() {
    return stopped ? "" : release(held.length());
  }

  private String release(int count) {
    String text = held.substring(0, count);
    held.delete(0, count);
    return text;
  }

  private int firstStop() {
    int first = -1;
    for (String stop : stops) {
      int at = held.indexOf(stop);
      if (at >= 0 && (first < 0 || at < first)) first = at;
    }
    return first;
  }

  /** Length of the longest end of what is held that begins a stop string. */
  private int longestBeginning() {
    int longest = 0;
    for (String stop : stops) {
      for (int n = Math.min(stop.length() - 1, held.length()); n > longest; n--) {
        if (stop.startsWith(held.substring(held.length() - n))) longest = n;
      }
    }
    return longest;
  }
}
