package org.bmojo.checkpoint;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.bmojo.error.BadInput;
import org.bmojo.io.FileTrouble;
import org.bmojo.io.Json;
import tools.jackson.databind.JsonNode;

/**
 * Finds the files of a set of weights. {@code model.safetensors.index.json} maps each tensor to the
 * shard that has it: {@code {"weight_map": {"w": "model-00001-of-00002.safetensors", …}}}. Index
 * and shards must agree exactly; half a set, or two sets mixed, is refused.
 */
final class ShardIndex {
  private static final String SINGLE = "model.safetensors";
  private static final String INDEX = SINGLE + ".index.json";
  private static final String CURE = "Download or export the whole set of files again";

  private ShardIndex() {}

  static Safetensors open(Path path) {
    if (Files.isDirectory(path)) return openFolder(path);
    if (path.getFileName().toString().endsWith(".json")) return openIndex(path);
    return open(path, List.of(path));
  }

  private static Safetensors openFolder(Path folder) {
    Path single = folder.resolve(SINGLE);
    Path index = folder.resolve(INDEX);
    if (Files.exists(single) && Files.exists(index)) {
      throw new BadInput(
          folder + " has both " + SINGLE + " and " + INDEX,
          "expected one of them",
          "Remove the one that is out of date");
    }
    if (Files.exists(single)) return open(single, List.of(single));
    if (Files.exists(index)) return openIndex(index);
    Set<String> others = shardsIn(folder);
    throw new BadInput(
        folder
            + (others.isEmpty() ? " holds no weights" : " holds " + others + " without an index"),
        "expected " + SINGLE + " or " + INDEX,
        others.isEmpty() ? "Check the path" : CURE);
  }

  private static Set<String> shardsIn(Path folder) {
    Set<String> names = new TreeSet<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*.safetensors")) {
      files.forEach(f -> names.add(f.getFileName().toString()));
    } catch (IOException e) {
      throw FileTrouble.reading(folder, e);
    }
    return names;
  }

  private static Safetensors openIndex(Path index) {
    Map<String, String> weightMap = weightMap(index);
    Path folder = index.toAbsolutePath().getParent();
    if (folder == null) throw new AssertionError(index);
    Map<String, Path> shards = new LinkedHashMap<>();
    Set<String> missing = new TreeSet<>();
    for (String name : new TreeSet<>(weightMap.values())) {
      Path shard = folder.resolve(name);
      if (!Files.exists(shard)) missing.add(name);
      shards.put(name, shard);
    }
    if (!missing.isEmpty()) {
      throw new BadInput(
          index + " names " + missing.size() + " files that are not there: " + missing,
          "expected all " + shards.size() + " beside it",
          CURE);
    }
    Safetensors weights = open(index, List.copyOf(shards.values()));
    try {
      requireAgreement(index, weightMap, weights);
      return weights;
    } catch (RuntimeException e) {
      weights.close();
      throw e;
    }
  }

  private static Map<String, String> weightMap(Path index) {
    JsonNode map = Json.tree(index).path("weight_map");
    if (!map.isObject() || map.isEmpty()) {
      throw new BadInput(
          index + " has no weight_map", "expected an object from tensor to file", CURE);
    }
    Map<String, String> files = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> e : map.properties()) {
      String file = e.getValue().isString() ? e.getValue().stringValue() : "";
      // A name with a folder in it could lead anywhere on the disk.
      if (!file.matches("[^/\\\\:]+\\.safetensors")) {
        throw new BadInput(
            index + ": tensor " + e.getKey() + " is said to be in " + e.getValue(),
            "expected the name of a .safetensors file in the same folder",
            CURE);
      }
      files.put(e.getKey(), file);
    }
    return files;
  }

  private static void requireAgreement(
      Path index, Map<String, String> weightMap, Safetensors weights) {
    Set<String> absent = new TreeSet<>(weightMap.keySet());
    absent.removeAll(weights.names());
    if (!absent.isEmpty()) {
      throw new BadInput(
          index + " lists " + absent.size() + " tensors that no file has, such as " + first(absent),
          "expected index and files of one export",
          CURE);
    }
    Set<String> unlisted = new TreeSet<>(weights.names());
    unlisted.removeAll(weightMap.keySet());
    if (!unlisted.isEmpty()) {
      throw new BadInput(
          index + " does not list " + unlisted.size() + " tensors, such as " + first(unlisted),
          "expected index and files of one export",
          CURE);
    }
    weightMap.forEach((tensor, file) -> {
      if (weights.fileOf(tensor).equals(file)) return;
      throw new BadInput(
          index + " says that tensor " + tensor + " is in " + file,
          "expected " + weights.fileOf(tensor) + ", where it is",
          CURE);
    });
  }

  private static String first(Set<String> names) {
    return names.iterator().next();
  }

  private static Safetensors open(Path where, List<Path> paths) {
    List<SafetensorsFile> files = new ArrayList<>();
    try {
      for (Path path : paths) files.add(SafetensorsFile.open(path));
      return new Safetensors(where, files);
    } catch (RuntimeException e) {
      files.forEach(SafetensorsFile::close);
      throw e;
    }
  }
}
