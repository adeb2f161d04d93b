package org.bmojo.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bmojo.store.Entries.MODEL;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.bmojo.error.BadInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A caller that had to wait for the store would wait for ever: the time limit is the failure. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class AsyncWriterTest {
  private static final Duration NEVER = Duration.ofDays(1);

  /** In memory, with a door before every append. */
  private static final class GuardedStore implements MemoryStore {
    private final MemoryStore store = new ExactStore(MODEL, StoreLimits.NONE);
    private final CountDownLatch entered = new CountDownLatch(1);
    private final CountDownLatch door = new CountDownLatch(1);
    private final List<Long> appended = new ArrayList<>();
    private volatile boolean full;

    @Override
    public StoreIdentity identity() {
      return MODEL;
    }

    @Override
    public void append(List<Entry> entries) {
      entered.countDown();
      try {
        door.await();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
      if (full) throw new BadInput("the disk is full", "expected room", "Free some");
      entries.forEach(e -> appended.add(e.position()));
      store.append(entries);
    }

    @Override
    public void commit() {
      store.commit();
    }

    @Override
    public Snapshot snapshot() {
      return store.snapshot();
    }

    @Override
    public long deleteSession(String session) {
      return store.deleteSession(session);
    }

    @Override
    public long deleteDocument(String document) {
      return store.deleteDocument(document);
    }

    @Override
    public long expire(long before) {
      return store.expire(before);
    }

    @Override
    public void close() {
      store.close();
    }
  }

  @Test
  void callersNeverWaitAndTheLeastSurprisingAreDropped() throws InterruptedException {
    GuardedStore store = new GuardedStore();
    try (AsyncWriter writer = new AsyncWriter(store, new AsyncWriter.Config(63, 1, NEVER))) {
      writer.offer(Entries.at(0));
      store.entered.await(); // The store has one entry in its hands and does not give it back.
      Entries.range(1, 1001).forEach(writer::offer);
      AsyncWriter.Report stuck = writer.report();
      assertThat(stuck).isEqualTo(new AsyncWriter.Report(1001, 0, 937, 64, null));
      store.door.countDown();
      writer.flush();
      assertThat(writer.report()).isEqualTo(new AsyncWriter.Report(1001, 64, 937, 0, null));
    }
    List<Long> best =
        Entries.range(1, 1001).stream()
            .sorted(Comparator.comparingDouble(Entry::innovation).reversed())
            .limit(63)
            .map(Entry::position)
            .sorted()
            .toList();
    assertThat(store.appended.removeFirst()).isZero();
    assertThat(store.appended).isEqualTo(best); // in the order in which they came
  }

  @Test
  void aFullStoreStopsWritingButNobodyElse() throws InterruptedException {
    GuardedStore store = new GuardedStore();
    store.door.countDown();
    try (AsyncWriter writer = new AsyncWriter(store, new AsyncWriter.Config(63, 13, NEVER))) {
      Entries.range(0, 13).forEach(writer::offer);
      writer.flush();
      store.full = true;
      Entries.range(13, 30).forEach(writer::offer);
      writer.flush();
      assertThat(writer.report().failure()).isInstanceOf(BadInput.class);
      store.full = false;
      Entries.range(30, 40).forEach(writer::offer); // It is the user who has to act.
      AsyncWriter.Report report = writer.report();
      assertThat(report.committed()).isEqualTo(13);
      assertThat(report.dropped()).isEqualTo(27);
      assertThat(report.waiting()).isZero();
    }
    assertThat(store.size()).isEqualTo(13);
  }

  @Test
  void fewEntriesAreCommittedAfterTheDelay() throws InterruptedException {
    GuardedStore store = new GuardedStore();
    store.door.countDown();
    AsyncWriter.Config soon = new AsyncWriter.Config(63, 63, Duration.ofMillis(1));
    try (AsyncWriter writer = new AsyncWriter(store, soon)) {
      writer.offer(Entries.at(0));
      while (store.size() == 0) Thread.sleep(1); // nobody flushes
    }
  }

  @Test
  void closingCommitsWhatWaits() {
    GuardedStore store = new GuardedStore();
    store.door.countDown();
    try (AsyncWriter writer = new AsyncWriter(store, new AsyncWriter.Config(63, 63, NEVER))) {
      Entries.range(0, 13).forEach(writer::offer);
    }
    assertThat(store.size()).isEqualTo(13);
  }

  @Test
  void anEntryOfAnotherModelIsRefusedAtOnceAndSpoilsNothing() throws InterruptedException {
    GuardedStore store = new GuardedStore();
    store.door.countDown();
    Entry good = Entries.at(0);
    Entry bad = new Entry(9, 0, good.key(), good.value(), 0, 0, good.source());
    try (AsyncWriter writer = new AsyncWriter(store, new AsyncWriter.Config(63, 63, NEVER))) {
      writer.offer(good);
      assertThatThrownBy(() -> writer.offer(bad))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("layer 9");
      writer.flush();
      assertThat(writer.report()).isEqualTo(new AsyncWriter.Report(1, 1, 0, 0, null));
    }
  }

  @Test
  void queuesWithoutRoomAreRefused() {
    assertThatThrownBy(() -> new AsyncWriter.Config(12, 13, NEVER)).isInstanceOf(BadInput.class);
    assertThatThrownBy(() -> new AsyncWriter.Config(12, 0, NEVER)).isInstanceOf(BadInput.class);
  }
}
