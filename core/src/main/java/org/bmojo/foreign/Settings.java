package org.bmojo.foreign;

import org.bmojo.error.BadInput;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.MissingNode;

/**
 * A foreign {@code config.json}, read leniently: unknown keys are nobody's business, absent ones
 * and nulls have the caller's default. A value of the wrong kind is refused by name.
 */
public final class Settings {
  /** More layers or experts than any model has; a list of so many would fill the memory. */
  private static final int MANY = 4096;

  private final JsonNode tree;
  private final String where;

  /**
   * @param tree an object
   * @param where its source, for messages
   */
  public Settings(JsonNode tree, String where) {
    this.tree = tree;
    this.where = where;
  }

  /** The source, for messages. */
  String where() {
    return where;
  }

  /** Whether the key is there and not null. */
  boolean has(String key) {
    return !node(key).isMissingNode();
  }

  /** Whether the key is there, be it null. */
  boolean mentions(String key) {
    return tree.has(key);
  }

  /** The value itself; missing where absent or null. */
  JsonNode node(String key) {
    JsonNode node = tree.path(key);
    return node.isNull() ? MissingNode.getInstance() : node;
  }

  /** The object under {@code key}; empty where absent. */
  Settings part(String key) {
    return new Settings(node(key), where + ": " + key);
  }

  /** A whole number of 1 or more that must be there. */
  int size(String key) {
    if (!has(key)) {
      throw new BadInput(
          where + " has no " + key,
          "expected a whole number",
          "Copy the config.json that belongs to the weights");
    }
    return size(key, 0);
  }

  /** The same with a default, which may be 0. */
  int size(String key, int otherwise) {
    JsonNode node = node(key);
    if (node.isMissingNode()) return otherwise;
    if (node.isIntegralNumber() && node.canConvertToInt() && node.intValue() >= 1) {
      return node.intValue();
    }
    throw refused(key, "a whole number from 1 to " + Integer.MAX_VALUE);
  }

  /** How many of something that a model has a list of: layers, experts. There must be one. */
  int few(String key) {
    int count = size(key);
    if (count <= MANY) return count;
    throw refused(key, "no more than " + MANY);
  }

  /** The same with a default. */
  int few(String key, int otherwise) {
    return has(key) ? few(key) : otherwise;
  }

  /** A whole number of 0 or more. */
  int count(String key, int otherwise) {
    JsonNode node = node(key);
    if (node.isMissingNode()) return otherwise;
    if (node.isIntegralNumber() && node.canConvertToInt() && node.intValue() >= 0) {
      return node.intValue();
    }
    throw refused(key, "a whole number from 0 to " + Integer.MAX_VALUE);
  }

  /** The same where absence means something. */
  @Nullable Integer optionalSize(String key) {
    return has(key) ? size(key) : null;
  }

  /** A finite number. */
  double number(String key, double otherwise) {
    double value = extended(key, node(key), otherwise);
    if (Double.isFinite(value)) return value;
    throw refused(key, "a finite number");
  }

  /** The same where absence means something. */
  @Nullable Double optionalNumber(String key) {
    return has(key) ? number(key, 0) : null;
  }

  /** Element {@code index} of an array of numbers, which may be infinite. */
  double element(String key, int index, double otherwise) {
    JsonNode node = node(key);
    return node.isMissingNode() ? otherwise : extended(key, node.path(index), Double.NaN);
  }

  /** Infinity has no JSON; it is met as text, bare, or wrapped as {"__float__": "Infinity"}. */
  private double extended(String key, JsonNode node, double otherwise) {
    if (node.isMissingNode()) return otherwise;
    JsonNode value = node.isObject() ? node.path("__float__") : node;
    if (value.isNumber()) return value.doubleValue();
    if (value.isString()) {
      switch (value.stringValue()) {
        case "Infinity", "inf" -> {
          return Double.POSITIVE_INFINITY;
        }
        case "-Infinity", "-inf" -> {
          return Double.NEGATIVE_INFINITY;
        }
        default -> {}
      }
    }
    throw refused(key, "a number");
  }

  boolean flag(String key, boolean otherwise) {
    JsonNode node = node(key);
    if (node.isMissingNode()) return otherwise;
    if (node.isBoolean()) return node.booleanValue();
    throw refused(key, "true or false");
  }

  String text(String key, String otherwise) {
    JsonNode node = node(key);
    if (node.isMissingNode()) return otherwise;
    if (node.isString()) return node.stringValue();
    throw refused(key, "a text");
  }

  /** Refuses any value but {@code only}, which is also the default. */
  void require(String key, String only) {
    if (!text(key, only).equals(only)) throw refused(key, '"' + only + '"');
  }

  /** The refusal of a value. */
  BadInput refused(String key, String expected) {
    return new BadInput(
        where + " has " + key + " = " + tree.path(key),
        "expected " + expected,
        "Use a model of a kind that this program computes, or correct the value");
  }
}
