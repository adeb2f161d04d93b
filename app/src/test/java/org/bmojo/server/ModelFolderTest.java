package org.bmojo.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.SmallPresets;
import org.bmojo.text.ByteTokenizer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A server needs its model's folder to start, and never again. */
class ModelFolderTest {
  @TempDir Path folder;

  @Test
  void aFolderDeletedUnderneathIsNotMissed() throws Exception {
    Path saved = folder.resolve("model");
    try (LanguageModel model = LanguageModel.create(SmallPresets.named("bmojo-tiny", 257), 1)) {
      Checkpoint.save(saved, model, new ByteTokenizer());
    }
    String ask = "{'prompt': 'Once', 'max_tokens': 20, 'seed': 3, 'save_session': 'NAME'}";
    try (Checkpoint checkpoint = Checkpoint.open(saved);
        Served served =
            new Served(
                ServerSettings.local(0, "tiny", saved.resolve("sessions")),
                Served.LIMITS,
                checkpoint.model())) {
      // Before anything is computed, so that no weight has been read but by opening.
      delete(saved);
      String after = text(served, ask.replace("NAME", "one"));
      assertThat(text(served, ask.replace("NAME", "two"))).isEqualTo(after);
      String more = "{'prompt': ' upon', 'max_tokens': 3, 'session': 'one'}";
      assertThat(text(served, more)).isNotNull();
      try (Served whole = new Served(folder.resolve("other"))) {
        assertThat(text(whole, ask.replace("NAME", "one"))).isEqualTo(after);
      }
    }
  }

  private static String text(Served served, String ask) throws Exception {
    return served.ask("/v1/completions", ask).at("/choices/0/text").stringValue();
  }

  private static void delete(Path folder) throws IOException {
    try (var all = Files.walk(folder)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) Files.delete(path);
    }
  }
}
