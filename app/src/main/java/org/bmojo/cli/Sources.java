package org.bmojo.cli;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.bmojo.serve.Recollection;
import org.bmojo.store.TextSpan;

/** Which parts of documents came back, in a line: the most used first, neighbours together. */
final class Sources {
  private static final int TOKENS = 64, NEAR = 16;

  private Sources() {}

  static String of(Recollection recollection) {
    Map<String, TreeSet<Long>> places = new LinkedHashMap<>();
    List<TextSpan> spans =
        recollection.used().stream()
            .map(Recollection.Used::span)
            .filter(span -> span != null)
            .limit(TOKENS)
            .toList();
    for (TextSpan span : spans) {
      places.computeIfAbsent(span.document(), _ -> new TreeSet<>()).add(span.begin());
    }
    if (places.isEmpty()) return "[nothing came back from a document]";
    return places.entrySet().stream()
        .map(e -> e.getKey() + " at " + ranges(e.getValue()))
        .collect(Collectors.joining("; ", "[", "]"));
  }

  /** Such as {@code 12–40, 77}. */
  private static String ranges(TreeSet<Long> places) {
    StringBuilder text = new StringBuilder();
    long from = -1, to = -1;
    for (long place : places) {
      if (from >= 0 && place - to <= NEAR) {
        to = place;
        continue;
      }
      append(text, from, to);
      from = place;
      to = place;
    }
    append(text, from, to);
    return text.toString();
  }

  private static void append(StringBuilder text, long from, long to) {
    if (from < 0) return;
    if (!text.isEmpty()) text.append(", ");
    text.append(from);
    if (to > from) text.append('–').append(to);
  }
}
