package org.bmojo.jinja;

import java.time.LocalDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A template that has been read. Immutable. */
public final class Template {
  private final List<Node> nodes;

  private Template(List<Node> nodes) {
    this.nodes = nodes;
  }

  /**
   * Reads a template.
   *
   * @throws TemplateError if it is malformed, or uses what chat templates do not
   */
  public static Template of(String source) {
    return new Template(Parser.parse(source));
  }

  /**
   * The text.
   *
   * @param variables values by name, as the package describes them
   * @param now what the template may print as the date
   * @throws TemplateError if the template refuses, or fails
   */
  public String render(Map<String, Object> variables, LocalDateTime now) {
    Map<String, Object> all = new HashMap<>(Builtins.functions(now));
    all.putAll(variables);
    try {
      return new Interpreter(all).run(nodes);
    } catch (ClassCastException | NumberFormatException | IndexOutOfBoundsException e) {
      throw new TemplateError("the template does what cannot be done: " + e.getMessage());
    }
  }
}
