package org.bmojo.server;

import com.sun.management.UnixOperatingSystemMXBean;
import io.helidon.webserver.http.ServerRequest;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.SocketAddress;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The open connections, so that those on which nothing is asked keep nobody out: one ends when it
 * has been silent for too long, and where there are as many as may be, the one that has been silent
 * longest makes room for the next. One that is asked on is left alone.
 *
 * <p>Helidon would let no more in until somebody leaves, and waits for ever for the first byte and
 * for the last header. Silence therefore ends here when a whole request, but for its body, was
 * read.
 */
final class Connections implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Connections.class);

  /** Of a request's both ends: a port alone may be connected to several of our addresses. */
  private record Ends(SocketAddress remote, SocketAddress local) {}

  private record Silent(SocketChannel channel, long until) {}

  private final int most;
  private final Duration first;
  private final Duration later;
  private final ScheduledExecutorService clock;
  private final LinkedHashMap<Ends, Silent> silent = new LinkedHashMap<>(); // the longest first
  private final Map<Ends, SocketChannel> asking = new HashMap<>();
  private long turnedOut;

  /**
   * Watches none yet.
   *
   * @param most open at once
   * @param first how long a caller may take until it has asked for something
   * @param later how long it may stay after an answer
   */
  Connections(int most, Duration first, Duration later) {
    this.most = most;
    this.first = first;
    this.later = later;
    clock =
        Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("connections").factory());
    long period = Math.clamp(first.toMillis() / 4, 10, 1000);
    clock.scheduleWithFixedDelay(this::sweep, period, period, TimeUnit.MILLISECONDS);
  }

  /** So many that files can still be opened, since a server that cannot accept is at its end. */
  static int fitting(int wanted) {
    if (!(ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean os)) {
      return wanted;
    }
    long fit = os.getMaxFileDescriptorCount() / 4 * 3;
    if (fit >= wanted) return wanted;
    LOG.warn("{} connections instead of {}: the system allows no more open files", fit, wanted);
    return (int) Math.max(1, fit);
  }

  /** A caller has come. Throws if it cannot stay. */
  void accepted(SocketChannel channel) throws IOException {
    Ends ends = new Ends(channel.getRemoteAddress(), channel.getLocalAddress());
    synchronized (this) {
      if (silent.size() + asking.size() >= most && !makeRoom()) {
        throw new IOException("all " + most + " connections are in use");
      }
      silent.remove(ends);
      silent.put(ends, new Silent(channel, System.nanoTime() + first.toNanos()));
    }
  }

  private boolean makeRoom() {
    Map.Entry<Ends, Silent> longest = silent.pollFirstEntry();
    if (longest == null) return false;
    close(longest.getValue().channel());
    turnedOut++;
    return true;
  }

  /** A request has begun. */
  synchronized void asks(ServerRequest request) {
    Ends ends = ends(request);
    @Nullable Silent caller = silent.remove(ends);
    if (caller != null) asking.put(ends, caller.channel());
  }

  /** It was answered. */
  synchronized void answered(ServerRequest request) {
    Ends ends = ends(request);
    @Nullable SocketChannel channel = asking.remove(ends);
    if (channel == null || !channel.isOpen()) return;
    silent.put(ends, new Silent(channel, System.nanoTime() + later.toNanos()));
  }

  private static Ends ends(ServerRequest request) {
    return new Ends(request.remotePeer().address(), request.localPeer().address());
  }

  /** Those that have gone, or have been silent for too long. */
  private synchronized void sweep() {
    long now = System.nanoTime();
    List<SocketChannel> late = new ArrayList<>();
    for (Iterator<Silent> all = silent.values().iterator(); all.hasNext(); ) {
      Silent one = all.next();
      if (one.channel().isOpen() && one.until() - now > 0) continue;
      all.remove();
      if (one.channel().isOpen()) late.add(one.channel());
    }
    late.forEach(Connections::close);
  }

  private static void close(SocketChannel channel) {
    try {
      channel.close();
    } catch (IOException e) {
      LOG.debug("a connection was gone before it was closed", e);
    }
  }

  /** How many are open, as far as is known. */
  synchronized int open() {
    return silent.size() + asking.size();
  }

  /** How many had to make room. */
  synchronized long turnedOut() {
    return turnedOut;
  }

  /** Watches no more. */
  @Override
  public void close() {
    clock.shutdownNow();
  }
}
