package org.bmojo.server;

import io.helidon.common.socket.SocketOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.SocketOption;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * How sockets are set up, which is where Helidon shows each that it has accepted: an event goes out
 * at once instead of waiting for the next, and little of what a slow reader has not read yet waits
 * in the system.
 */
final class WatchedSockets implements SocketOptions {
  private static final int SEND_BUFFER = 256 << 10;

  private final SocketOptions options =
      SocketOptions.builder().tcpNoDelay(true).socketSendBufferSize(SEND_BUFFER).build();
  private final Connections connections;

  WatchedSockets(Connections connections) {
    this.connections = connections;
  }

  /** Helidon closes the socket where this throws. */
  @Override
  public void configureSocket(SocketChannel channel) {
    options.configureSocket(channel);
    try {
      connections.accepted(channel);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public Map<SocketOption<?>, Object> socketOptions() {
    return options.socketOptions();
  }

  @Override
  public Duration connectTimeout() {
    return options.connectTimeout();
  }

  @Override
  public Duration readTimeout() {
    return options.readTimeout();
  }

  @Override
  public Optional<Integer> socketReceiveBufferSize() {
    return options.socketReceiveBufferSize();
  }

  @Override
  public Optional<Integer> socketSendBufferSize() {
    return options.socketSendBufferSize();
  }

  @Override
  public boolean socketReuseAddress() {
    return options.socketReuseAddress();
  }

  @Override
  public boolean socketKeepAlive() {
    return options.socketKeepAlive();
  }

  @Override
  public boolean tcpNoDelay() {
    return options.tcpNoDelay();
  }
}
