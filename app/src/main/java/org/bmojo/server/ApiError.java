package org.bmojo.server;

import java.util.LinkedHashMap;
import java.util.Map;
import org.bmojo.error.BadInput;
import org.bmojo.serve.Overloaded;
import org.jspecify.annotations.Nullable;

/** What a client is told when it does not get what it asked for, in OpenAI's form. */
final class ApiError extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int status;
  private final String type;
  private final @Nullable String param;
  private final @Nullable String code;
  private final int retryAfterSeconds;

  private ApiError(
      int status,
      String type,
      String message,
      @Nullable String param,
      @Nullable String code,
      int retryAfterSeconds) {
    super(message);
    this.status = status;
    this.type = type;
    this.param = param;
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  private static ApiError of(int status, String message, @Nullable String code) {
    String type = status >= 500 ? "server_error" : "invalid_request_error";
    return new ApiError(status, type, message, null, code, 0);
  }

  /** 400, about a field. */
  static ApiError field(String param, String found, String expected) {
    String message = param + ": found " + found + ", expected " + expected + ".";
    return new ApiError(400, "invalid_request_error", message, param, null, 0);
  }

  /** 400. */
  static ApiError bad(String message) {
    return of(400, message, null);
  }

  /** 401. */
  static ApiError wrongKey() {
    String message =
        "No valid API key was shown. Send one of this server's keys as \"Authorization: Bearer"
            + " …\".";
    return new ApiError(401, "authentication_error", message, null, "invalid_api_key", 0);
  }

  /** 403. */
  static ApiError forbidden(String message) {
    return of(403, message, "forbidden");
  }

  /** 404. */
  static ApiError notFound(String message, String code) {
    return of(404, message, code);
  }

  /** 405. */
  static ApiError method(String method, String path) {
    return of(405, method + " is not for " + path + ".", "method_not_allowed");
  }

  /** 408, within a stream. */
  static ApiError tooSlow(int unread) {
    String message =
        "More than %d tokens were not read. Read faster, or ask for fewer.".formatted(unread);
    return of(408, message, "reader_too_slow");
  }

  /** 409. */
  static ApiError conflict(String message) {
    return of(409, message, "already_exists");
  }

  /** 413. */
  static ApiError tooLarge(long most) {
    return of(
        413, "The request has more than the " + most + " bytes that are read here.", "too_large");
  }

  /** 503. */
  static ApiError closing() {
    String message = "The server is closing. Ask another one, or again later.";
    return new ApiError(503, "server_error", message, null, "unavailable", 5);
  }

  /** 500, without details: they are in the log, beside the request's id. */
  static ApiError ours(String requestId) {
    return of(
        500, "The server failed. Its log says more about request " + requestId + ".", "internal");
  }

  /** What {@code thrown} is to a client; null if it is a defect of ours. */
  static @Nullable ApiError from(Throwable thrown) {
    return switch (thrown) {
      case ApiError e -> e;
      case BadInput e -> of(400, String.valueOf(e.getMessage()), null);
      case Overloaded e ->
          new ApiError(
              429,
              "rate_limit_error",
              String.valueOf(e.getMessage()),
              null,
              "overloaded",
              e.retryAfterSeconds());
      default -> null;
    };
  }

  int status() {
    return status;
  }

  /** 0 for none. */
  int retryAfterSeconds() {
    return retryAfterSeconds;
  }

  /** {@code {"error": {"message", "type", "param", "code"}}}. */
  Map<String, Object> body() {
    Map<String, @Nullable Object> error = new LinkedHashMap<>();
    error.put("message", getMessage());
    error.put("type", type);
    error.put("param", param);
    error.put("code", code);
    return Map.of("error", error);
  }
}
