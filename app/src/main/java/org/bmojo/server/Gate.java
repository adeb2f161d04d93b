package org.bmojo.server;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.List;
import java.util.Set;

/**
 * Who may come in. Where there are keys, whoever shows one. Where there are none, only this machine
 * can connect; then pages of other sites in its user's browser are kept out, which could otherwise
 * send requests here.
 */
final class Gate {
  private static final Set<String> OURS = Set.of("localhost", "127.0.0.1", "[::1]");

  private final List<byte[]> keys;
  private final boolean local;

  Gate(ServerSettings settings) {
    keys = settings.keys().stream().map(k -> k.getBytes(StandardCharsets.UTF_8)).toList();
    local = settings.isLocal();
  }

  /** Refuses whoever may not come in. */
  void pass(Exchange exchange) {
    String host = exchange.header("Host").orElse("");
    if (local && !OURS.contains(withoutPort(host))) {
      throw ApiError.forbidden(
          "The host is \"" + host + "\", expected localhost. Use the address the server printed.");
    }
    String origin = exchange.header("Origin").orElse("");
    if (!origin.isEmpty() && !isSame(origin, host)) {
      throw ApiError.forbidden("Pages of " + origin + " may not use this server.");
    }
  }

  /** Refuses whoever shows no key. */
  void requireKey(Exchange exchange) {
    if (keys.isEmpty()) return;
    String shown = exchange.header("Authorization").orElse("");
    if (shown.regionMatches(true, 0, "Bearer ", 0, 7)) {
      byte[] key = shown.substring(7).strip().getBytes(StandardCharsets.UTF_8);
      boolean known = false;
      // Compares with all of them, and each to its end: the time tells nothing.
      for (byte[] one : keys) known |= MessageDigest.isEqual(one, key);
      if (known) return;
    }
    throw ApiError.wrongKey();
  }

  private static String withoutPort(String host) {
    int colon = host.lastIndexOf(':');
    return colon > host.lastIndexOf(']') ? host.substring(0, colon) : host;
  }

  private static boolean isSame(String origin, String host) {
    try {
      return host.equalsIgnoreCase(URI.create(origin).getAuthority());
    } catch (IllegalArgumentException e) {
      return false;
    }
  }
}
