package org.bmojo.parallel;

import org.jspecify.annotations.Nullable;

/** Another process of the group is gone, or did not come in time; this one cannot go on. */
public final class LostRankException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  LostRankException(Ranks ranks, String who, @Nullable Exception cause) {
    super(
        "rank "
            + ranks.rank()
            + " of "
            + ranks.size()
            + " lost "
            + who
            + (cause == null ? "" : " (" + firstLine(cause) + ")")
            + ". The last checkpoint is intact: resume, with as many processes as are left",
        cause);
  }

  private static String firstLine(Exception cause) {
    // Gloo begins with the line of its source.
    String all = String.valueOf(cause.getMessage()).replaceFirst("^\\[[^\\]]*\\] ", "");
    return all.lines().findFirst().orElse("");
  }
}
