package org.bmojo.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.function.Consumer;
import org.bmojo.error.BadInput;

/** Documents, read one at a time, in an order that the content alone decides. */
@FunctionalInterface
public interface TextSource {
  /**
   * Hands every document to {@code action}, on this thread.
   *
   * @throws BadInput if there is no text, or what was named cannot be read or is no text
   */
  void forEach(Consumer<Document> action);

  /**
   * The source that a user means by {@code spec}:
   *
   * <ul>
   *   <li>{@code jdk}: the source code of the running JDK, {@code lib/src.zip}
   *   <li>a folder: every text file below it, a document each, in the order of their paths; hidden
   *       and binary ones are passed over
   *   <li>a {@code .zip} or {@code .jar}: the same for what is in it
   *   <li>a {@code .jsonl} or {@code .jsonl.gz}: one document a line, from the field {@code text},
   *       or from FIELD in {@code corpus.jsonl#FIELD}
   *   <li>a {@code .parquet}: one document a row, from the column {@code text}, or from COLUMN in
   *       {@code corpus.parquet#COLUMN}; in a folder too, from {@code text}
   *   <li>any other file, plain or {@code .gz}: a text, cut into parts at line ends so that some
   *       can be held out
   * </ul>
   */
  static TextSource of(String spec) {
    if (spec.equals("jdk")) return JdkSource.ofRunningJdk();
    int hash = spec.lastIndexOf('#');
    Path whole = Path.of(spec);
    if (hash < 0 || Files.exists(whole)) return of(whole);
    Path file = Path.of(spec.substring(0, hash));
    String field = spec.substring(hash + 1);
    if (isJsonLines(file)) return new JsonLinesSource(file, field);
    if (isParquet(file)) return new ParquetSource(file, field);
    throw new BadInput(
        spec + " names a field",
        "expected a .jsonl or .parquet file before the #",
        "Leave the field out");
  }

  /** The source at {@code path}, told by its name; see {@link #of(String)}. */
  static TextSource of(Path path) {
    if (Files.notExists(path)) {
      throw new BadInput(
          path + " does not exist", "expected a file, a folder or the word jdk", "Check the path");
    }
    if (Files.isDirectory(path)) return new FolderSource(path);
    String name = path.getFileName().toString().toLowerCase(Locale.ROOT);
    if (name.endsWith(".zip") || name.endsWith(".jar")) return new ZipSource(path);
    if (isJsonLines(path)) return new JsonLinesSource(path, "text");
    if (isParquet(path)) return new ParquetSource(path, "text");
    return new FileSource(path);
  }

  private static boolean isJsonLines(Path path) {
    String name = path.getFileName().toString().toLowerCase(Locale.ROOT);
    return name.matches(".*\\.(jsonl|ndjson)(\\.gz)?");
  }

  /** Whether {@code path} is called as Parquet files are. */
  static boolean isParquet(Path path) {
    return path.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(".parquet");
  }

  /** This source, showing each document to {@code observer} as it passes: for progress bars. */
  default TextSource observed(Consumer<Document> observer) {
    return action -> forEach(observer.andThen(action));
  }
}
