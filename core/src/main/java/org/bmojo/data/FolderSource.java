package org.bmojo.data;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.bmojo.io.FileTrouble;

/** Every text file below a folder, by path; of a Parquet file each row's {@code text}. */
record FolderSource(Path folder) implements TextSource {
  @Override
  public void forEach(Consumer<Document> action) {
    long count = 0;
    for (Map.Entry<String, Path> e : files().entrySet()) {
      if (TextSource.isParquet(e.getValue())) {
        count += new ParquetSource(e.getValue(), "text").readAs(e.getKey(), action);
        continue;
      }
      try (InputStream in = Files.newInputStream(e.getValue())) {
        count += PlainFile.readIfText(e.getKey(), in, action);
      } catch (IOException failure) {
        throw FileTrouble.reading(e.getValue(), failure);
      }
    }
    if (count == 0) throw PlainFile.empty(folder.toString());
  }

  /** By name with {@code /} between folders: the same order on every system. */
  private TreeMap<String, Path> files() {
    TreeMap<String, Path> files = new TreeMap<>();
    try {
      Files.walkFileTree(folder, new Collector(files));
    } catch (IOException e) {
      throw FileTrouble.reading(folder, e);
    }
    return files;
  }

  private final class Collector extends SimpleFileVisitor<Path> {
    private final Map<String, Path> files;

    Collector(Map<String, Path> files) {
      this.files = files;
    }

    @Override
    public FileVisitResult preVisitDirectory(Path dir, BasicFileAttributes attributes) {
      boolean hidden = !dir.equals(folder) && isHidden(dir);
      return hidden ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
      // A link to a file is followed, a link to a folder might lead in circles.
      if (!isHidden(file) && Files.isRegularFile(file)) {
        files.put(folder.relativize(file).toString().replace('\\', '/'), file);
      }
      return FileVisitResult.CONTINUE;
    }

    private static boolean isHidden(Path path) {
      return path.getFileName().toString().startsWith(".");
    }
  }
}
