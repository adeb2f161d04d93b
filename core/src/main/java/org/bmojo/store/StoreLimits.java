package org.bmojo.store;

import org.bmojo.error.BadInput;

/**
 * How large a store may grow.
 *
 * @param entries at most so many after a commit
 */
public record StoreLimits(long entries) {
  /** As large as the disk. */
  public static final StoreLimits NONE = new StoreLimits(Long.MAX_VALUE);

  /** Refuses stores without room. */
  public StoreLimits {
    if (entries < 1) {
      throw new BadInput(
          "a store of " + entries + " entries", "expected at least 1", "Raise the limit");
    }
  }
}
