package org.bmojo.jinja;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What has a value. */
sealed interface Expression {
  record Literal(Object value) implements Expression {}

  record Name(String name) implements Expression {}

  record ListOf(List<Expression> items) implements Expression {}

  record MapOf(List<Expression> keys, List<Expression> values) implements Expression {}

  /** {@code of.name} or {@code of[key]}. */
  record Item(Expression of, Expression key) implements Expression {}

  /** {@code of[from:to:step]}. */
  record Slice(
      Expression of, @Nullable Expression from, @Nullable Expression to, @Nullable Expression step)
      implements Expression {}

  record Call(Expression function, Arguments arguments) implements Expression {}

  /** {@code of.method(…)}. */
  record MethodCall(Expression of, String method, Arguments arguments) implements Expression {}

  record Filter(Expression of, String filter, Arguments arguments) implements Expression {}

  record Test(Expression of, String test, Arguments arguments, boolean negated)
      implements Expression {}

  record Unary(String operator, Expression of) implements Expression {}

  record Binary(String operator, Expression left, Expression right) implements Expression {}

  /** {@code then if condition else otherwise}. */
  record Choice(Expression condition, Expression then, Expression otherwise)
      implements Expression {}

  /** What stands between the parentheses of a call. */
  record Arguments(List<Expression> positional, Map<String, Expression> named) {
    static final Arguments NONE = new Arguments(List.of(), Map.of());
  }
}
