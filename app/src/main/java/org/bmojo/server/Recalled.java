package org.bmojo.server;

import java.util.List;
import org.bmojo.serve.Recollection;
import org.bmojo.store.TextSpan;
import org.jspecify.annotations.Nullable;

/**
 * A token that came back from the library while a request was answered: {@code "recalled"} in an
 * answer.
 *
 * @param document that it was read in; null for what the session itself let go
 * @param begin first character in the document
 * @param end character after the last
 * @param position of the token, in the document or the session
 * @param times how often a layer's head was given it
 */
record Recalled(
    @Nullable String document, @Nullable Long begin, @Nullable Long end, long position, int times) {
  /** So many are told, the most used first. */
  private static final int MOST = 100;

  static List<Recalled> of(Recollection way) {
    return way.used().stream().limit(MOST).map(Recalled::of).toList();
  }

  private static Recalled of(Recollection.Used used) {
    TextSpan span = used.span();
    return span == null
        ? new Recalled(null, null, null, used.position(), used.times())
        : new Recalled(span.document(), span.begin(), span.end(), used.position(), used.times());
  }
}
