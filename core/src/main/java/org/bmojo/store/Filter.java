package org.bmojo.store;

import org.bmojo.error.BadInput;
import org.jspecify.annotations.Nullable;

/**
 * Which entries a search may return.
 *
 * @param session only this one's; null for every session's
 * @param fromPosition first position
 * @param toPosition position after the last
 */
public record Filter(@Nullable String session, long fromPosition, long toPosition) {
  /** Every entry. */
  public static final Filter ALL = new Filter(null, 0, Long.MAX_VALUE);

  /** Refuses ranges that end before they begin. */
  public Filter {
    if (fromPosition < 0 || toPosition < fromPosition) {
      throw new BadInput(
          "positions [" + fromPosition + ", " + toPosition + ")",
          "expected 0 ≤ from ≤ to",
          "Correct the filter");
    }
  }

  /** The entries of one session. */
  public static Filter ofSession(String session) {
    return new Filter(session, 0, Long.MAX_VALUE);
  }

  /** This, within positions {@code from} ≤ p &lt; {@code to}. */
  public Filter within(long from, long to) {
    return new Filter(session, from, to);
  }

  /** Whether positions are restricted at all. */
  public boolean everywhere() {
    return fromPosition == 0 && toPosition == Long.MAX_VALUE;
  }

  /** Whether an entry may be returned. */
  public boolean accepts(Entry entry) {
    return (session == null || session.equals(entry.source().session()))
        && fromPosition <= entry.position()
        && entry.position() < toPosition;
  }
}
