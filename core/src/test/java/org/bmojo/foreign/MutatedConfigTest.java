package org.bmojo.foreign;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.error.BadInput;
import org.bmojo.io.Json;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A {@code config.json} with any value replaced by any other: the model opens, or is refused in
 * words. Nothing else may be thrown.
 */
class MutatedConfigTest {
  static final List<String> MODELS = List.of(Fixture.MODELS);
  private static final int MUTATIONS = 60;

  private static final List<JsonNode> VALUES =
      Json.mapper()
          .readTree(
              """
              [null, -1, 0, 1, 3, 65536, 2147483647, 99999999999, 1e300, 0.5, true, false, "", "x",
               "Infinity", [], [1], {}, {"x": 1}, {"__float__": "Infinity"}, {"__float__": "NaN"}]
              """)
          .valueStream()
          .toList();

  @TempDir Path folder;

  @ParameterizedTest
  @FieldSource("MODELS")
  void opensOrIsRefused(String name) throws IOException {
    Path source = Fixture.of(name).folder();
    Files.copy(source.resolve("model.safetensors"), folder.resolve("model.safetensors"));
    SplittableRandom random = new SplittableRandom(name.hashCode());
    for (int i = 0; i < MUTATIONS; i++) {
      ObjectNode config = (ObjectNode) Json.foreignTree(source.resolve("config.json"));
      String change = mutate(config, random);
      Files.write(folder.resolve("config.json"), Json.bytes(config));
      try {
        Checkpoint.open(folder).close();
      } catch (BadInput e) {
        assertThat(e.getMessage()).as(change).contains("expected");
      } catch (RuntimeException e) {
        throw new AssertionError(name + " with " + change, e);
      }
    }
  }

  private static String mutate(ObjectNode config, SplittableRandom random) {
    List<ObjectNode> objects = new ArrayList<>(List.of(config));
    config
        .valueStream()
        .forEach(v -> {
          if (v instanceof ObjectNode part && !part.isEmpty()) objects.add(part);
        });
    ObjectNode object = objects.get(random.nextInt(objects.size()));
    List<String> keys = List.copyOf(object.propertyNames());
    String key = keys.get(random.nextInt(keys.size()));
    int choice = random.nextInt(-1, VALUES.size());
    if (choice < 0) object.remove(key);
    else object.set(key, VALUES.get(choice));
    return choice < 0 ? "no " + key : key + " = " + VALUES.get(choice);
  }
}
