package org.bmojo.parallel;

import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketOption;
import java.net.SocketTimeoutException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Tells every process at once when one is gone. GPUs do not: a collective waits for the lost one's
 * share until its time is up, and the host with it.
 *
 * <p>Each process holds a connection to the first one, over which nothing is said but a farewell. A
 * connection that ends without one means that whoever was there has died; the first process passes
 * the news on.
 */
final class Lifeline implements AutoCloseable {
  private static final int WELCOME = 1, FAREWELL = 2, GONE = 3;

  /** What the first process lets all know. */
  interface Board {
    /** The first process's word, which is what it posts itself; waits for it. */
    String post(String own);
  }

  private final Ranks ranks;
  private final List<Socket> connections = new CopyOnWriteArrayList<>();
  private final List<Thread> watchers = new ArrayList<>();
  private final CountDownLatch lost = new CountDownLatch(1);
  private volatile String who = "";
  private volatile boolean left;

  private Lifeline(Ranks ranks) {
    this.ranks = ranks;
  }

  /**
   * Returns when all processes are connected.
   *
   * @param board where the first process posts where it listens
   */
  static Lifeline join(Ranks ranks, Board board, Duration patience) throws IOException {
    Lifeline line = new Lifeline(ranks);
    try {
      if (ranks.isFirst()) line.gather(board, patience);
      else line.connect(board.post(""), patience);
      return line;
    } catch (IOException | RuntimeException e) {
      line.close();
      throw e;
    }
  }

  private void gather(Board board, Duration patience) throws IOException {
    long word = new SecureRandom().nextLong();
    long until = System.nanoTime() + patience.toNanos();
    List<Integer> came = new ArrayList<>(); // the rank at the end of each connection
    try (ServerSocket door = new ServerSocket(0, ranks.size())) {
      board.post(door.getLocalPort() + " " + word);
      while (connections.size() < ranks.size() - 1) {
        long millis = (until - System.nanoTime()) / 1_000_000;
        if (millis <= 0) throw new SocketTimeoutException(connections.size() + 1 + " have come");
        door.setSoTimeout((int) Math.min(millis, Integer.MAX_VALUE));
        Socket socket = alive(door.accept());
        DataInputStream in = new DataInputStream(socket.getInputStream());
        socket.setSoTimeout(5_000); // Whoever is not one of us may say nothing at all.
        try {
          if (in.readLong() == word) {
            came.add(in.readInt());
            socket.setSoTimeout(0);
            connections.add(socket);
            continue;
          }
        } catch (IOException stranger) {
          // Nobody of ours has come yet who could be missed.
        }
        socket.close();
      }
    }
    for (int i = 0; i < connections.size(); i++) {
      send(connections.get(i), WELCOME);
      watch(connections.get(i), came.get(i));
    }
  }

  private void connect(String told, Duration patience) throws IOException {
    String[] words = told.split(" ");
    Socket socket = new Socket();
    connections.add(socket);
    int millis = (int) Math.min(patience.toMillis(), Integer.MAX_VALUE);
    socket.connect(new InetSocketAddress(ranks.address(), Integer.parseInt(words[0])), millis);
    alive(socket).setSoTimeout(millis);
    DataOutputStream out = new DataOutputStream(socket.getOutputStream());
    out.writeLong(Long.parseLong(words[1]));
    out.writeInt(ranks.rank());
    if (socket.getInputStream().read() != WELCOME) throw new IOException("nobody is there");
    socket.setSoTimeout(0);
    watch(socket, 0);
  }

  /** A machine without power closes no connection: the system is to ask after half a minute. */
  private static Socket alive(Socket socket) throws IOException {
    socket.setTcpNoDelay(true);
    socket.setKeepAlive(true);
    Map<String, Integer> wanted =
        Map.of("TCP_KEEPIDLE", 15, "TCP_KEEPINTERVAL", 5, "TCP_KEEPCOUNT", 3);
    // By name, since a runtime image without the module jdk.net has no constants for them.
    for (SocketOption<?> option : socket.supportedOptions()) {
      Integer value = wanted.get(option.name());
      if (value != null && option.type() == Integer.class) set(socket, option, value);
    }
    return socket;
  }

  @SuppressWarnings("unchecked") // Its type was asked for.
  private static void set(Socket socket, SocketOption<?> option, int value) throws IOException {
    socket.setOption((SocketOption<Integer>) option, value);
  }

  /**
   * @param rank of whoever is at the other end
   */
  private void watch(Socket socket, int rank) {
    watchers.add(
        Thread.ofVirtual()
            .name("lifeline")
            .start(() -> {
              int missing = rank;
              try {
                DataInputStream in = new DataInputStream(socket.getInputStream());
                int what = in.readByte();
                if (what == FAREWELL) return;
                missing = in.readInt();
              } catch (IOException ended) {
                // It has died.
              }
              if (left) return;
              who = "rank " + missing;
              lost.countDown();
              for (Socket other : connections)
                if (ranks.isFirst()) sendQuietly(other, GONE, missing);
            }));
  }

  private static void send(Socket socket, int... message) throws IOException {
    DataOutputStream out = new DataOutputStream(new BufferedOutputStream(socket.getOutputStream()));
    out.writeByte(message[0]);
    for (int i = 1; i < message.length; i++) out.writeInt(message[i]);
    out.flush();
  }

  private static void sendQuietly(Socket socket, int... message) {
    try {
      send(socket, message);
    } catch (IOException gone) {
      // Then there is nobody to be told.
    }
  }

  /** Who is gone, in a word; null while all are there. */
  @Nullable String lost() {
    return lost.getCount() == 0 ? who : null;
  }

  /** Has {@code last} run when a process is gone and this one has not left within {@code grace}. */
  void whenLost(Duration grace, Consumer<String> last) {
    Thread.ofPlatform()
        .daemon()
        .name("lost rank")
        .start(() -> {
          try {
            lost.await();
            Thread.sleep(grace);
            last.accept(who);
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
        });
  }

  /**
   * Says farewell, the first process when it has heard it from all others, and they wait for that.
   *
   * @return who was lost meanwhile; null for nobody
   */
  @Nullable String leave() {
    try {
      if (!ranks.isFirst()) sendQuietly(connections.getFirst(), FAREWELL);
      for (Thread watcher : watchers) watcher.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (lost() != null) return lost();
    left = true;
    if (ranks.isFirst()) connections.forEach(socket -> sendQuietly(socket, FAREWELL));
    return null;
  }

  /** Ends the connections; others are alarmed unless {@link #leave} was called. */
  @Override
  public void close() {
    left = true;
    for (Socket socket : connections) {
      try {
        socket.close();
      } catch (IOException gone) {
        // That is what was wanted.
      }
    }
  }
}
