package org.bmojo.server;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.List;

/** The page at {@code /}: files beside this class, and nothing from anywhere else. */
final class Page {
  /** The files; the first is the page itself. */
  static final List<String> FILES =
      List.of("index.html", "app.js", "memory.js", "attention.js", "recalled.js", "style.css");

  private static final String POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:;"
          + " base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

  private Page() {}

  static String path(String file) {
    return file.equals(FILES.getFirst()) ? "/" : "/" + file;
  }

  static void send(Exchange exchange, String file) {
    exchange.header("Content-Security-Policy", POLICY);
    exchange.header("Referrer-Policy", "no-referrer");
    exchange.send(200, type(file), bytes(file));
  }

  private static String type(String file) {
    if (file.endsWith(".js")) return "text/javascript; charset=utf-8";
    if (file.endsWith(".css")) return "text/css; charset=utf-8";
    return "text/html; charset=utf-8";
  }

  private static byte[] bytes(String file) {
    try (InputStream in = Page.class.getResourceAsStream("page/" + file)) {
      if (in == null) throw new IllegalStateException("the page lacks " + file);
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
