package org.bmojo.jinja;

import java.util.List;
import org.bmojo.jinja.Expression.Arguments;
import org.jspecify.annotations.Nullable;

/** A part of a template. */
sealed interface Node {
  record Text(String text) implements Node {}

  record Print(Expression value) implements Node {}

  record If(Expression condition, List<Node> then, List<Node> otherwise) implements Node {}

  /**
   * @param names one, or several that take an item apart
   * @param condition items for which it is not true are passed over
   */
  record For(
      List<String> names,
      Expression over,
      @Nullable Expression condition,
      List<Node> body,
      List<Node> otherwise)
      implements Node {}

  /**
   * @param attribute of the namespace {@code name}, or null for a variable
   */
  record Set(String name, @Nullable String attribute, Expression value) implements Node {}

  /** {@code {% set name %}…{% endset %}}. */
  record SetBlock(String name, List<Node> body) implements Node {}

  /** Defaults stand beside the parameters' names. */
  record Macro(String name, Arguments parameters, List<Node> body) implements Node {}

  /** {@code break} or {@code continue}. */
  record Jump(boolean out) implements Node {}

  /** Marks that change nothing, such as {@code {% generation %}}. */
  record Group(List<Node> body) implements Node {}
}
