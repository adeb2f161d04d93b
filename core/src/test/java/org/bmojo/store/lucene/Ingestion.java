package org.bmojo.store.lucene;

import java.nio.file.Path;
import org.bmojo.store.Entries;

/**
 * A process that stores entry after entry for ever, to be killed while it does. It says how far it
 * is after every commit.
 */
final class Ingestion {
  /** Entries to a commit. */
  static final int STEP = 37;

  private Ingestion() {}

  public static void main(String[] args) {
    // Small segments, so that graphs are built and merged all the time.
    LuceneConfig busy =
        new LuceneConfig(
            LuceneConfig.STANDARD.limits(), Precision.BF16, 64, StoreKillTest.GRAPH_FROM, 1);
    LuceneStore store = LuceneStore.open(Path.of(args[0]), Entries.MODEL, busy);
    System.out.println("opened " + store.size());
    for (long p = store.size(); ; p += STEP) {
      store.append(Entries.range(p, p + STEP));
      store.commit();
      System.out.println("committed " + (p + STEP));
    }
  }
}
