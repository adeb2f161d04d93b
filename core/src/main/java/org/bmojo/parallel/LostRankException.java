package org.bmojo.parallel;

/** Another process of the group is gone, or did not come in time; this one cannot go on. */
public final class LostRankException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  LostRankException(Ranks ranks, RuntimeException cause) {
    super(
        "rank "
            + ranks.rank()
            + " of "
            + ranks.size()
            + " lost another ("
            + String.valueOf(cause.getMessage()).lines().findFirst().orElse("")
            + "). The last checkpoint is intact: resume, with as many processes as are left",
        cause);
  }
}
