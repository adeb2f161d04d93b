package org.bmojo.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bmojo.jinja.Expression.Arguments;
import org.bmojo.jinja.Expression.Binary;
import org.bmojo.jinja.Expression.Literal;
import org.bmojo.jinja.Token.Kind;
import org.jspecify.annotations.Nullable;

/** Expressions, loosest binding first: one method a level. */
final class ExpressionParser {
  private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", ">", "<=", ">=");

  private final List<Token> tokens;
  private int at;

  ExpressionParser(List<Token> tokens) {
    this.tokens = tokens;
  }

  Token peek() {
    return peek(0);
  }

  Token peek(int ahead) {
    return tokens.get(Math.min(at + ahead, tokens.size() - 1));
  }

  Token next() {
    return tokens.get(Math.min(at++, tokens.size() - 1));
  }

  boolean take(String operator) {
    boolean found = peek().isOperator(operator);
    if (found) at++;
    return found;
  }

  private boolean takeName(String name) {
    boolean found = peek().isName(name);
    if (found) at++;
    return found;
  }

  Token expect(Kind kind) {
    if (peek().kind() != kind) throw error("found \"" + peek().text() + "\", expected " + kind);
    return next();
  }

  void expectName(String name) {
    if (!takeName(name)) throw error("found \"" + peek().text() + "\", expected " + name);
  }

  void expectOperator(String operator) {
    if (!take(operator)) throw error("found \"" + peek().text() + "\", expected " + operator);
  }

  TemplateError error(String what) {
    return new TemplateError("line " + peek().line() + ": " + what);
  }

  /** An expression, or several with commas between them: a list. */
  Expression tupleOrOne() {
    Expression first = expression();
    if (!peek().isOperator(",")) return first;
    List<Expression> all = new ArrayList<>(List.of(first));
    while (take(",")) all.add(expression());
    return new Expression.ListOf(all);
  }

  Expression expression() {
    Expression value = withoutChoice();
    if (!takeName("if")) return value;
    Expression condition = withoutChoice();
    Expression otherwise = takeName("else") ? expression() : new Literal(Absent.UNDEFINED);
    return new Expression.Choice(condition, value, otherwise);
  }

  Expression withoutChoice() {
    Expression left = and();
    while (takeName("or")) left = new Binary("or", left, and());
    return left;
  }

  private Expression and() {
    Expression left = not();
    while (takeName("and")) left = new Binary("and", left, not());
    return left;
  }

  private Expression not() {
    return takeName("not") ? new Expression.Unary("not", not()) : comparison();
  }

  private Expression comparison() {
    Expression left = sum();
    while (true) {
      Token token = peek();
      if (token.kind() == Kind.OPERATOR && COMPARISONS.contains(token.text())) {
        next();
        left = new Binary(token.text(), left, sum());
      } else if (takeName("in")) {
        left = new Binary("in", left, sum());
      } else if (token.isName("not") && peek(1).isName("in")) {
        at += 2;
        left = new Expression.Unary("not", new Binary("in", left, sum()));
      } else {
        return left;
      }
    }
  }

  private Expression sum() {
    Expression left = product();
    while (peek().isOperator("+") || peek().isOperator("-") || peek().isOperator("~")) {
      left = new Binary(next().text(), left, product());
    }
    return left;
  }

  private Expression product() {
    Expression left = unary();
    while (peek().kind() == Kind.OPERATOR && Set.of("*", "/", "//", "%").contains(peek().text())) {
      left = new Binary(next().text(), left, unary());
    }
    return left;
  }

  private Expression unary() {
    return filtered(negated());
  }

  private Expression negated() {
    return take("-") ? new Expression.Unary("-", negated()) : postfix();
  }

  /** Filters and tests are of all that stands before them, a minus included. */
  private Expression filtered(Expression of) {
    Expression value = of;
    while (true) {
      if (take("|")) {
        String filter = expect(Kind.NAME).text();
        Arguments arguments = take("(") ? arguments() : Arguments.NONE;
        value = new Expression.Filter(value, filter, arguments);
      } else if (takeName("is")) {
        boolean negated = takeName("not");
        String test = expect(Kind.NAME).text();
        Arguments arguments = Arguments.NONE;
        if (take("(")) {
          arguments = arguments();
        } else if (peek().kind() == Kind.STRING || peek().kind() == Kind.NUMBER) {
          arguments = new Arguments(List.of(primary()), Map.of());
        }
        value = new Expression.Test(value, test, arguments, negated);
      } else {
        return value;
      }
    }
  }

  private Expression postfix() {
    Expression value = primary();
    while (true) {
      if (take(".")) {
        Token name = next();
        if (name.kind() == Kind.NAME && take("(")) {
          value = new Expression.MethodCall(value, name.text(), arguments());
        } else {
          value = new Expression.Item(value, new Literal(name.text()));
        }
      } else if (take("[")) {
        value = subscript(value);
      } else if (take("(")) {
        value = new Expression.Call(value, arguments());
      } else {
        return value;
      }
    }
  }

  private Expression subscript(Expression of) {
    Expression first = peek().isOperator(":") ? null : expression();
    if (first != null && take("]")) return new Expression.Item(of, first);
    expectOperator(":");
    Expression to = bound();
    Expression step = take(":") ? bound() : null;
    expectOperator("]");
    return new Expression.Slice(of, first, to, step);
  }

  private @Nullable Expression bound() {
    return peek().isOperator("]") || peek().isOperator(":") ? null : expression();
  }

  private Arguments arguments() {
    List<Expression> positional = new ArrayList<>();
    Map<String, Expression> named = new LinkedHashMap<>();
    while (!take(")")) {
      if (peek().kind() == Kind.NAME && peek(1).isOperator("=")) {
        String name = next().text();
        next();
        named.put(name, expression());
      } else {
        positional.add(expression());
      }
      if (!peek().isOperator(")")) expectOperator(",");
    }
    return new Arguments(positional, named);
  }

  private Expression primary() {
    Token token = next();
    return switch (token.kind()) {
      case STRING -> {
        StringBuilder text = new StringBuilder(token.text());
        while (peek().kind() == Kind.STRING) text.append(next().text());
        yield new Literal(text.toString());
      }
      case NUMBER -> new Literal(number(token.text()));
      case NAME -> name(token.text());
      case OPERATOR -> bracketed(token);
      default -> throw error("an expression is missing");
    };
  }

  private Object number(String text) {
    try {
      return text.contains(".") ? (Object) Double.valueOf(text) : (Object) Long.valueOf(text);
    } catch (NumberFormatException e) {
      throw error(text + " is no number");
    }
  }

  private static Expression name(String name) {
    return switch (name) {
      case "true", "True" -> new Literal(true);
      case "false", "False" -> new Literal(false);
      case "none", "None" -> new Literal(Absent.NONE);
      default -> new Expression.Name(name);
    };
  }

  private Expression bracketed(Token token) {
    switch (token.text()) {
      case "(" -> {
        if (take(")")) return new Expression.ListOf(List.of());
        Expression value = expression();
        if (take(")")) return value;
        List<Expression> items = new ArrayList<>(List.of(value));
        while (take(",")) if (!peek().isOperator(")")) items.add(expression());
        expectOperator(")");
        return new Expression.ListOf(items);
      }
      case "[" -> {
        List<Expression> items = new ArrayList<>();
        while (!take("]")) {
          items.add(expression());
          if (!peek().isOperator("]")) expectOperator(",");
        }
        return new Expression.ListOf(items);
      }
      case "{" -> {
        List<Expression> keys = new ArrayList<>(), values = new ArrayList<>();
        while (!take("}")) {
          keys.add(expression());
          expectOperator(":");
          values.add(expression());
          if (!peek().isOperator("}")) expectOperator(",");
        }
        return new Expression.MapOf(keys, values);
      }
      default -> throw error("found \"" + token.text() + "\", expected an expression");
    }
  }
}
