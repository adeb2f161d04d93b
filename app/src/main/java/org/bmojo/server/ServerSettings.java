package org.bmojo.server;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.bmojo.error.BadInput;

/**
 * How a {@link Server} listens, and what it lets in.
 *
 * @param host to listen on
 * @param port 0 for any free one
 * @param keys that clients may show; none are asked for where there are none
 * @param name what the model is called
 * @param sessions folder for memories
 * @param body bytes of a request at most
 * @param connections open at once
 * @param unread tokens that the reader of a stream may be behind, since they are kept for it
 * @param patience how long a client may take to send its request, or to take an event in
 * @param heartbeat how often a waiting stream is written to, which shows whether its reader has
 *     left
 */
public record ServerSettings(
    String host,
    int port,
    List<String> keys,
    String name,
    Path sessions,
    int body,
    int connections,
    int unread,
    Duration patience,
    Duration heartbeat) {
  private static final int SHORTEST_KEY = 16;

  /** Refuses to listen to others without a key, and keys that can be guessed. */
  public ServerSettings {
    keys = List.copyOf(keys);
    if (port < 0 || port > 65_535 || body < 1 || connections < 1 || unread < 1) {
      throw new BadInput(
          "port %d, %d bytes, %d connections, %d tokens unread"
              .formatted(port, body, connections, unread),
          "expected a port from 0 to 65535, and at least 1 of the others",
          "Correct the options");
    }
    if (keys.isEmpty() && !isLoopback(host)) {
      throw new BadInput(
          "a server on " + host + " without an API key",
          "expected a key, since others can reach it",
          "Set --api-key-file, or listen on 127.0.0.1");
    }
    for (String key : keys) {
      if (key.length() >= SHORTEST_KEY && key.chars().allMatch(c -> c > 32 && c < 127)) continue;
      throw new BadInput(
          "an API key of " + key.length() + " characters",
          "expected at least " + SHORTEST_KEY + ", visible ones of ASCII",
          "Make one with: openssl rand -hex 24");
    }
  }

  /** On this machine only, without a key: 8 MB, 1,024 connections, 10,000 tokens, 30 seconds. */
  public static ServerSettings local(int port, String name, Path sessions) {
    return new ServerSettings(
        "127.0.0.1",
        port,
        List.of(),
        name,
        sessions,
        8 << 20,
        1024,
        10_000,
        Duration.ofSeconds(30),
        Duration.ofSeconds(1));
  }

  /** The same with keys. */
  public ServerSettings withKeys(List<String> some) {
    return new ServerSettings(
        host, port, some, name, sessions, body, connections, unread, patience, heartbeat);
  }

  /** The same for bodies of another size. */
  public ServerSettings withBody(int bytes) {
    return new ServerSettings(
        host, port, keys, name, sessions, bytes, connections, unread, patience, heartbeat);
  }

  /** The same with other times. */
  public ServerSettings withTimes(Duration silence, Duration beat) {
    return new ServerSettings(
        host, port, keys, name, sessions, body, connections, unread, silence, beat);
  }

  boolean isLocal() {
    return isLoopback(host);
  }

  private static boolean isLoopback(String host) {
    try {
      return InetAddress.getByName(host).isLoopbackAddress();
    } catch (UnknownHostException e) {
      throw new BadInput(
          "host " + host, "expected a name or an address of this machine", "Correct --host", e);
    }
  }
}
