package org.bmojo.server;

import java.util.List;
import java.util.Map;
import org.bmojo.serve.TextGeneration.Piece;
import org.jspecify.annotations.Nullable;

/** How an answer is written: as a completion or as a turn of a chat. */
interface Format {
  /** The choices of a whole answer. */
  Map<String, Object> whole(String text, List<Piece> pieces, String finish);

  /** What a stream begins with, or null for nothing. */
  @Nullable Map<String, Object> first();

  /** The choice that a piece of a stream is. */
  Map<String, Object> piece(Piece piece);

  /** The choice that ends a stream. */
  Map<String, Object> last(String finish);

  /** {@code object} of a whole answer or of a stream's chunk. */
  String object(boolean chunk);

  /** Begins the answer's id. */
  String idPrefix();
}
