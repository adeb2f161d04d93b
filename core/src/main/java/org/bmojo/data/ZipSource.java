package org.bmojo.data;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import org.bmojo.error.BadInput;
import org.bmojo.io.FileTrouble;

/** Every text file in a zip or jar, by name. */
record ZipSource(Path file) implements TextSource {
  @Override
  public void forEach(Consumer<Document> action) {
    long count = 0;
    try (ZipFile zip = new ZipFile(file.toFile())) {
      List<? extends ZipEntry> entries =
          zip.stream()
              .filter(e -> !e.isDirectory())
              .sorted(Comparator.comparing(ZipEntry::getName))
              .toList();
      for (ZipEntry entry : entries) {
        try (InputStream in = zip.getInputStream(entry)) {
          count += PlainFile.readIfText(entry.getName(), in, action);
        }
      }
    } catch (ZipException e) {
      throw new BadInput(
          file + " is not a sound zip (" + e.getMessage() + ")",
          "expected a .zip or .jar",
          "Download or pack it again",
          e);
    } catch (IOException e) {
      throw FileTrouble.reading(file, e);
    }
    if (count == 0) throw PlainFile.empty(file.toString());
  }
}
