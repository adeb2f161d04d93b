package org.bmojo.store.lucene;

import java.nio.file.Files;
import java.nio.file.Path;
import org.bmojo.error.BadInput;
import org.bmojo.io.AtomicFile;
import org.bmojo.io.Json;
import org.bmojo.store.StoreIdentity;

/**
 * {@code store.json}: whose memory is in the folder, and how values are written.
 *
 * @param format of the folder; 1
 */
record StoreFile(int format, StoreIdentity identity, Precision precision) {
  private static final String NAME = "store.json";
  private static final int FORMAT = 1;

  /** Refuses another model's folder, or one of unknown content; marks an empty one as ours. */
  static StoreFile in(Path folder, StoreIdentity identity, Precision precision) {
    Path file = folder.resolve(NAME);
    if (!Files.exists(file)) {
      if (Files.exists(folder.resolve(LuceneStore.INDEX))) {
        throw new BadInput(
            folder + " has an index, but no " + NAME,
            "expected both, or neither",
            "Choose another folder, or bring the file back");
      }
      StoreFile made = new StoreFile(FORMAT, identity, precision);
      AtomicFile.replace(file, Json.bytes(made));
      return made;
    }
    StoreFile found = Json.read(file, StoreFile.class);
    if (found.format != FORMAT) {
      throw new BadInput(
          file + " says format " + found.format,
          "expected " + FORMAT,
          "Use the version that wrote it");
    }
    identity.check(found.identity, folder.toString());
    return found;
  }
}
