package org.bmojo.layer;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bmojo.tape.Parameter;
import org.jspecify.annotations.Nullable;

/**
 * Collects a model's parameters under the dotted names they have in checkpoints, in model order.
 */
public final class Names {
  private final Map<String, Parameter> parameters;
  private final String prefix;

  /** Nothing collected yet. */
  public Names() {
    this(new LinkedHashMap<>(), "");
  }

  private Names(Map<String, Parameter> parameters, String prefix) {
    this.parameters = parameters;
    this.prefix = prefix;
  }

  /** Anything with parameters to name. */
  public interface Named {
    /** Tells {@code names} every parameter. */
    void name(Names names);
  }

  /** Adds a parameter; an absent one (null) is skipped. */
  public Names add(String name, @Nullable Parameter parameter) {
    if (parameter != null && parameters.putIfAbsent(prefix + name, parameter) != null) {
      throw new IllegalStateException("two parameters are called " + prefix + name);
    }
    return this;
  }

  /** Adds the parameters of a part under {@code name.}; an absent one (null) is skipped. */
  public Names in(String name, @Nullable Named part) {
    if (part != null) part.name(new Names(parameters, prefix + name + "."));
    return this;
  }

  /** All parameters so far, in order. */
  public Map<String, Parameter> all() {
    return Collections.unmodifiableMap(parameters);
  }

  /** The parameters of {@code part}. */
  public static Map<String, Parameter> of(Named part) {
    Names names = new Names();
    part.name(names);
    return names.all();
  }
}
