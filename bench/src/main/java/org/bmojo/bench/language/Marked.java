package org.bmojo.bench.language;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bmojo.error.BadInput;
import org.bmojo.io.AtomicFile;
import org.bmojo.io.FileTrouble;

/**
 * A Markdown page, written by people, with places that a program fills: what stands between {@code
 * <!-- begin NAME -->} and {@code <!-- end -->} is replaced, the rest left alone.
 */
final class Marked {
  private static final String END = "<!-- end -->";

  private final Path file;
  private String text;

  /** Reads the page. */
  Marked(Path file) {
    this.file = file;
    try {
      text = Files.readString(file);
    } catch (IOException e) {
      throw FileTrouble.reading(file, e);
    }
  }

  /** Puts {@code content} into a place; a page without that place has no use for it. */
  void fill(String name, String content) {
    String begin = "<!-- begin " + name + " -->";
    int from = text.indexOf(begin);
    if (from < 0) return;
    int to = text.indexOf(END, from);
    if (to < 0) {
      throw new BadInput(
          file + " has " + begin + " without an end", "expected " + END, "Add it after the place");
    }
    String before = text.substring(0, from + begin.length());
    text = before + "\n" + content.strip() + "\n" + text.substring(to);
  }

  /** Writes the page back, whole or not at all. */
  void write() {
    AtomicFile.replace(file, text.getBytes(StandardCharsets.UTF_8));
  }

  /** A table, its first row the header; the first column is text, the others are numbers. */
  static String table(List<List<String>> rows) {
    List<String> lines = new ArrayList<>();
    for (List<String> row : rows) lines.add("| " + String.join(" | ", row) + " |");
    String rule = "| --- |" + " ---: |".repeat(rows.getFirst().size() - 1);
    lines.add(1, rule);
    return String.join("\n", lines);
  }

  /** A picture beside the page. */
  static String picture(String words, String path) {
    return "![" + words + "](" + path + ")";
  }
}
