package org.bmojo.server;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A JSON object's fields, each asked for by name and kind. One that nobody asked for is refused:
 * somebody believes it to be in force.
 */
final class Fields {
  private final JsonNode object;
  private final String prefix;
  private final Set<String> known = new LinkedHashSet<>();

  Fields(JsonNode object, String prefix) {
    this.object = object;
    this.prefix = prefix;
  }

  /** The field, or null where it is missing or null. */
  @Nullable JsonNode node(String name) {
    known.add(name);
    JsonNode node = object.get(name);
    return node == null || node.isNull() ? null : node;
  }

  private ApiError wrong(String name, JsonNode found, String expected) {
    String text = found.toString();
    String shown = text.length() > 60 ? text.substring(0, 60) + "…" : text;
    return ApiError.field(prefix + name, shown, expected);
  }

  @Nullable String text(String name) {
    JsonNode node = node(name);
    if (node == null) return null;
    if (!node.isString()) throw wrong(name, node, "a string");
    return node.stringValue();
  }

  boolean flag(String name) {
    JsonNode node = node(name);
    if (node == null) return false;
    if (!node.isBoolean()) throw wrong(name, node, "true or false");
    return node.booleanValue();
  }

  double number(String name, double standard) {
    JsonNode node = node(name);
    if (node == null) return standard;
    if (!node.isNumber()) throw wrong(name, node, "a number");
    return node.doubleValue();
  }

  /** A whole number within bounds. */
  int whole(String name, int standard, int least, int most) {
    return (int) whole(name, (long) standard, least, most);
  }

  long whole(String name, long standard, long least, long most) {
    JsonNode node = node(name);
    if (node == null) return standard;
    boolean fits = node.isIntegralNumber() && node.canConvertToLong();
    if (!fits || node.longValue() < least || node.longValue() > most) {
      throw wrong(name, node, "a whole number from " + least + " to " + most);
    }
    return node.longValue();
  }

  /** A string, or an array of up to {@code most}. */
  List<String> texts(String name, int most) {
    JsonNode node = node(name);
    if (node == null) return List.of();
    if (node.isString()) return List.of(node.stringValue());
    if (!node.isArray() || node.size() > most) {
      throw wrong(name, node, "a string or an array of up to " + most);
    }
    List<String> texts = new ArrayList<>();
    for (JsonNode text : node) {
      if (!text.isString()) throw wrong(name, node, "strings");
      texts.add(text.stringValue());
    }
    return texts;
  }

  /** Refuses a field unless it is missing, or says what is done anyway. */
  void only(String name, String... allowed) {
    JsonNode node = node(name);
    if (node == null || Arrays.asList(allowed).contains(node.toString())) return;
    String expected = allowed.length == 0 ? "it left out" : String.join(" or ", allowed);
    throw wrong(name, node, expected + ", which is all that this server does");
  }

  /** Fields that change nothing. */
  void ignore(String... names) {
    known.addAll(Arrays.asList(names));
  }

  /** Refuses whatever has not been asked for. */
  void end() {
    for (String name : object.propertyNames()) {
      if (known.contains(name)) continue;
      throw ApiError.field(
          prefix + name, "a field of that name", "one of " + String.join(", ", known));
    }
  }
}
