package org.bmojo.sweep;

import java.lang.reflect.RecordComponent;
import java.nio.file.Path;
import java.util.stream.Collectors;
import org.bmojo.error.BadInput;
import org.bmojo.eval.RecallModel;
import org.bmojo.io.Json;
import org.bmojo.mixer.FarPositions;
import org.bmojo.mixer.Selection;
import org.bmojo.tasks.TaskChoice;
import org.bmojo.tasks.TaskKind;
import org.bmojo.train.Schedule;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.EnumNamingStrategies;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.annotation.EnumNaming;
import tools.jackson.databind.cfg.MapperBuilder;
import tools.jackson.databind.exc.UnrecognizedPropertyException;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** How sweeps are read and written: strictly, with names such as {@code gated-delta-net}. */
final class SweepJson {
  @EnumNaming(EnumNamingStrategies.KebabCaseStrategy.class)
  private interface Dashed {}

  private static final JsonMapper LINES =
      dashed(Json.mapper().rebuild().disable(SerializationFeature.INDENT_OUTPUT)).build();

  /** For what {@link #line} wrote, in which every key is there. */
  private static final JsonMapper WHOLE =
      LINES.rebuild().enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES).build();

  private static final YAMLMapper YAML =
      dashed(
              YAMLMapper.builder()
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                  .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
                  .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS))
          .build();

  private SweepJson() {}

  private static <B extends MapperBuilder<?, B>> B dashed(B builder) {
    return builder
        .addMixIn(TaskKind.class, Dashed.class)
        .addMixIn(RecallModel.Family.class, Dashed.class)
        .addMixIn(RecallModel.StateSpace.class, Dashed.class)
        .addMixIn(Selection.class, Dashed.class)
        .addMixIn(FarPositions.class, Dashed.class)
        .addMixIn(Schedule.Shape.class, Dashed.class);
  }

  /** One line of JSON without its end. */
  static String line(Object value) {
    return LINES.writeValueAsString(value);
  }

  /**
   * What {@link #line} wrote. A choice that an older program did not offer was not made; everything
   * else must be there.
   */
  static Outcome outcome(String line) throws JacksonException {
    JsonNode tree = WHOLE.readTree(line);
    if (!tree.isObject()) tree = WHOLE.createObjectNode(); // refused for all that it lacks
    complete(tree.path("task"), TaskChoice.class);
    complete(tree.path("model"), RecallModel.class);
    return WHOLE.treeToValue(tree, Outcome.class);
  }

  private static void complete(JsonNode choices, Class<? extends Record> type) {
    if (!(choices instanceof ObjectNode object)) return;
    for (RecordComponent choice : type.getRecordComponents()) {
      if (!object.has(choice.getName())) object.putNull(choice.getName());
    }
  }

  static JsonNode tree(Object value) {
    return LINES.valueToTree(value);
  }

  /** A whole YAML file. */
  static <T> T yaml(Path file, String content, Class<T> type) {
    try {
      return YAML.readValue(content, type);
    } catch (JacksonException e) {
      throw trouble(file.toString(), e);
    }
  }

  /**
   * A part of one, that was kept as a tree.
   *
   * @param where file and place, for messages
   */
  static <T> T part(String where, JsonNode tree, Class<T> type) {
    try {
      return LINES.treeToValue(tree, type);
    } catch (JacksonException e) {
      throw trouble(where, e);
    }
  }

  private static BadInput trouble(String where, JacksonException e) {
    for (Throwable t = e; t != null; t = t.getCause()) {
      // A record's constructor has refused the values with a message better than Jackson's.
      if (t instanceof BadInput refusal) return refusal.in(where);
    }
    if (e instanceof UnrecognizedPropertyException unknown) {
      String keys =
          unknown.getKnownPropertyIds().stream()
              .map(String::valueOf)
              .collect(Collectors.joining(", "));
      return new BadInput(
          where + ": unknown key " + Json.path(e),
          "expected one of " + keys,
          "Correct or remove it",
          e);
    }
    return new BadInput(
        where + ": " + Json.words(e),
        "expected the layout of the examples in runs/recall",
        "Correct the file",
        e);
  }
}
