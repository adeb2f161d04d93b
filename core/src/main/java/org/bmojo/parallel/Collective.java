package org.bmojo.parallel;

import org.bytedeco.pytorch.Work;

/**
 * Something that all processes of a {@link Group} do together, under way. Between GPUs it runs on a
 * stream of its own while the device goes on computing.
 */
public final class Collective {
  private final Group group;
  private final Work work;

  Collective(Group group, Work work) {
    this.group = group;
    this.work = work;
    work.retainReference();
  }

  /**
   * Lets nothing go on without the result: the host on a CPU, on a GPU what is queued from now on.
   *
   * @throws LostRankException if a process is gone
   */
  public void await() {
    try {
      work._wait();
    } catch (RuntimeException e) {
      throw group.lost(e);
    } finally {
      work.releaseReference();
    }
  }
}
