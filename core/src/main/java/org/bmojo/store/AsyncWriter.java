package org.bmojo.store;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import org.bmojo.error.BadInput;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes to a store on a thread of its own, so that whoever computes never waits for a disk. What
 * is offered waits in a queue of limited length; when the queue is full, the least surprising entry
 * goes, be it the newest, and is counted. When the store refuses, all further entries are dropped
 * and the reason is reported: forgetting must not stop a model from thinking.
 */
public final class AsyncWriter implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(AsyncWriter.class);

  /**
   * How much is written at once.
   *
   * @param capacity entries that may wait
   * @param batch entries that are worth a commit
   * @param delay after which fewer are committed too
   */
  public record Config(int capacity, int batch, Duration delay) {
    /** Some 30 MB of waiting entries of 64 dimensions; a commit a second at most when idle. */
    public static final Config STANDARD = new Config(65_536, 8_192, Duration.ofSeconds(1));

    /** Refuses queues in which a batch has no room. */
    public Config {
      if (batch < 1 || capacity < batch || delay.isNegative()) {
        throw new BadInput(
            "a queue of " + capacity + " with batches of " + batch + " after " + delay,
            "expected 1 ≤ batch ≤ capacity and a delay ≥ 0",
            "Correct the writer's configuration");
      }
    }
  }

  /**
   * What became of the entries: offered = committed + dropped + waiting.
   *
   * @param offered so far
   * @param committed durable in the store, as far as its limits let them stay
   * @param dropped because the queue was full or the store refused
   * @param waiting in the queue or being written
   * @param failure why nothing is written any more; null while all is well
   */
  public record Report(
      long offered,
      long committed,
      long dropped,
      long waiting,
      @Nullable RuntimeException failure) {}

  private record Waiting(Entry entry, long order) {}

  private record Place(String session, int layer, int head) {
    static Place of(Entry entry) {
      return new Place(entry.source().session(), entry.layer(), entry.head());
    }
  }

  /** Of the equally surprising, the oldest is dropped first. */
  private static final Comparator<Waiting> FIRST_TO_GO =
      Comparator.<Waiting>comparingDouble(w -> w.entry.innovation())
          .thenComparingLong(w -> w.order);

  private final MemoryStore store;
  private final Config config;
  private final Thread thread;

  // All below is guarded by this object's lock, which is never held while the store works.
  private final PriorityQueue<Waiting> queue = new PriorityQueue<>(FIRST_TO_GO);
  private Map<Place, List<Entry>> queued = new HashMap<>(); // the queue's, and
  private Map<Place, List<Entry>> inHand = Map.of(); // those in the store's hands: by place
  private long firstWaitsSince; // System.nanoTime
  private long offered, committed, dropped;
  private int writing; // entries in the store's hands
  private int flushing; // callers of flush
  private boolean closing;
  private @Nullable RuntimeException failure;

  /** Starts the thread. The store is the caller's to close, after this. */
  public AsyncWriter(MemoryStore store, Config config) {
    this.store = store;
    this.config = config;
    thread = Thread.ofPlatform().daemon().name("memory-store-writer").start(this::run);
  }

  /**
   * Hands over an entry; never waits for the store.
   *
   * @throws BadInput if it is not of the store's model
   */
  public void offer(Entry entry) {
    store.identity().check(entry);
    synchronized (this) {
      if (closing) throw new IllegalStateException("the writer is closed");
      offered++;
      if (failure != null) {
        dropped++;
        return;
      }
      if (queue.isEmpty()) firstWaitsSince = System.nanoTime();
      queue.add(new Waiting(entry, offered));
      queued.computeIfAbsent(Place.of(entry), _ -> new ArrayList<>()).add(entry);
      if (queue.size() > config.capacity) {
        drop(queue.remove().entry);
        dropped++;
      }
      // The thread sleeps until there is a first entry or enough of them.
      if (queue.size() == 1 || queue.size() == config.batch) notifyAll();
    }
  }

  private void drop(Entry entry) {
    List<Entry> beside = queued.get(Place.of(entry));
    if (beside != null) beside.removeIf(e -> e == entry);
  }

  /**
   * What a session has offered and the store does not show yet; for whoever cannot wait for it. An
   * entry may be in the store already by the time this returns.
   */
  public synchronized List<Entry> waiting(String session, int layer, int head) {
    Place place = new Place(session, layer, head);
    List<Entry> all = new ArrayList<>(inHand.getOrDefault(place, List.of()));
    all.addAll(queued.getOrDefault(place, List.of()));
    return all;
  }

  /** What became of the entries so far. */
  public synchronized Report report() {
    return new Report(offered, committed, dropped, queue.size() + writing, failure);
  }

  /** Waits until nothing waits: everything offered is committed, or dropped. */
  public synchronized void flush() throws InterruptedException {
    flushing++;
    notifyAll();
    try {
      while (!queue.isEmpty() || writing > 0) wait();
    } finally {
      flushing--;
    }
  }

  private void run() {
    try {
      for (List<Entry> batch = next(); !batch.isEmpty(); batch = next()) {
        try {
          store.append(batch);
          store.commit();
          written(batch.size());
        } catch (RuntimeException e) {
          failed(e);
        }
      }
    } catch (InterruptedException e) {
      failed(new IllegalStateException("the writer's thread was interrupted", e));
    }
  }

  /** The next batch, oldest first; empty when there will be no more. */
  private synchronized List<Entry> next() throws InterruptedException {
    while (!closing && !isDue()) {
      if (queue.isEmpty()) wait();
      else wait(Math.max(1, remaining().toMillis()));
    }
    List<Waiting> taken = new ArrayList<>(queue);
    queue.clear();
    taken.sort(Comparator.comparingLong(Waiting::order));
    writing = taken.size();
    inHand = queued;
    queued = new HashMap<>();
    return taken.stream().map(Waiting::entry).toList();
  }

  private boolean isDue() {
    if (queue.isEmpty()) return false;
    return flushing > 0 || queue.size() >= config.batch || !remaining().isPositive();
  }

  private Duration remaining() {
    return config.delay.minusNanos(System.nanoTime() - firstWaitsSince);
  }

  private synchronized void written(int entries) {
    committed += entries;
    writing = 0;
    inHand = Map.of();
    notifyAll();
  }

  private synchronized void failed(RuntimeException e) {
    LOG.warn("nothing more goes to the memory store: {}", e.getMessage());
    failure = e;
    dropped += writing + queue.size();
    writing = 0;
    queue.clear();
    queued = new HashMap<>();
    inHand = Map.of();
    notifyAll();
  }

  /** Commits what waits, and ends the thread. */
  @Override
  public void close() {
    synchronized (this) {
      closing = true;
      notifyAll();
    }
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // The thread goes on alone, and ends when it is done.
    }
  }
}
