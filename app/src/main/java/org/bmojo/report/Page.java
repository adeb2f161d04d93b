package org.bmojo.report;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.bmojo.io.AtomicFile;

/** One self-contained HTML page, light or dark as its reader prefers. */
public final class Page {
  private final StringBuilder body = new StringBuilder();
  private final String title;

  /** An empty page. */
  public Page(String title) {
    this.title = title;
  }

  /** A heading. */
  public Page section(String heading) {
    body.append("<h2>").append(escape(heading)).append("</h2>\n");
    return this;
  }

  /** A paragraph. */
  public Page text(String paragraph) {
    body.append("<p>").append(escape(paragraph)).append("</p>\n");
    return this;
  }

  /** Text as it is, in a fixed-width font. */
  public Page code(String text) {
    body.append("<pre>").append(escape(text)).append("</pre>\n");
    return this;
  }

  /** A chart that {@link Chart} drew, with what it says in words for those who cannot see it. */
  public Page chart(String svg, String caption) {
    body.append("<figure>").append(svg);
    body.append("<figcaption>").append(escape(caption)).append("</figcaption></figure>\n");
    return this;
  }

  /** A table, first row its header. */
  public Page table(List<List<String>> rows) {
    body.append("<table>\n");
    for (int r = 0; r < rows.size(); r++) {
      String cell = r == 0 ? "th" : "td";
      body.append("<tr>");
      for (String value : rows.get(r)) {
        body.append('<').append(cell).append('>').append(escape(value));
        body.append("</").append(cell).append('>');
      }
      body.append("</tr>\n");
    }
    body.append("</table>\n");
    return this;
  }

  /**
   * A piece of a marked text.
   *
   * @param text what it says
   * @param strength how strongly it is marked, 0 … 1
   * @param note shown on pointing at it
   */
  public record Mark(String text, double strength, String note) {}

  /** A text some of whose pieces are marked, more strongly where it matters more. */
  public Page marked(List<Mark> pieces) {
    body.append("<pre class=\"marked\">");
    for (Mark piece : pieces) {
      if (piece.strength <= 0) {
        body.append(escape(piece.text));
        continue;
      }
      int percent = (int) Math.round(15 + 70 * Math.min(1, piece.strength));
      body.append("<mark style=\"--s:").append(percent).append("%\" title=\"");
      body.append(escape(piece.note)).append("\">").append(escape(piece.text)).append("</mark>");
    }
    body.append("</pre>\n");
    return this;
  }

  /** Writes the page, whole or not at all. */
  public void write(Path file) {
    AtomicFile.replace(file, html().getBytes(StandardCharsets.UTF_8));
  }

  String html() {
    return """
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>%s</title>
    <style>
    %s</style>
    </head>
    <body>
    <main>
    <h1>%s</h1>
    %s</main>
    </body>
    </html>
    """
        .formatted(escape(title), style(), escape(title), body);
  }

  private static String style() {
    try (InputStream in = Page.class.getResourceAsStream("page.css")) {
      if (in == null) throw new IllegalStateException("page.css is not on the class path");
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String escape(String text) {
    StringBuilder safe = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '&' -> safe.append("&amp;");
        case '<' -> safe.append("&lt;");
        case '>' -> safe.append("&gt;");
        case '"' -> safe.append("&quot;");
        default -> safe.append(c < ' ' && c != '\n' && c != '\t' ? '·' : c);
      }
    }
    return safe.toString();
  }
}
