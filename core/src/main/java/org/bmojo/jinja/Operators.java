package org.bmojo.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** What stands between two values. */
final class Operators {
  private Operators() {}

  /** The right side is computed only where Python would. */
  static Object binary(String operator, Object left, Supplier<Object> right) {
    return switch (operator) {
      case "and" -> Values.truth(left) ? right.get() : left;
      case "or" -> Values.truth(left) ? left : right.get();
      case "in" -> Values.contains(right.get(), left);
      case "==" -> Values.same(left, right.get());
      case "!=" -> !Values.same(left, right.get());
      case "<" -> Values.order(left, right.get()) < 0;
      case ">" -> Values.order(left, right.get()) > 0;
      case "<=" -> Values.order(left, right.get()) <= 0;
      case ">=" -> Values.order(left, right.get()) >= 0;
      case "~" -> Values.text(left) + Values.text(right.get());
      default -> arithmetic(operator, left, right.get());
    };
  }

  private static Object arithmetic(String operator, Object a, Object b) {
    if (operator.equals("+") && a instanceof String s && b instanceof String t) return s + t;
    if (operator.equals("+") && a instanceof List<?> one && b instanceof List<?> two) {
      List<Object> both = new ArrayList<>(one);
      both.addAll(two);
      return both;
    }
    if (operator.equals("*") && a instanceof String s) {
      return s.repeat((int) Math.clamp(Values.whole(b), 0, 10_000));
    }
    if (a instanceof Long x && b instanceof Long y && !operator.equals("/")) {
      if (y == 0 && !"+-*".contains(operator)) throw new TemplateError("a division by 0");
      return switch (operator) {
        case "+" -> x + y;
        case "-" -> x - y;
        case "*" -> x * y;
        case "//" -> Math.floorDiv(x, y);
        default -> Math.floorMod(x, y);
      };
    }
    double x = Values.number(a), y = Values.number(b);
    return switch (operator) {
      case "+" -> x + y;
      case "-" -> x - y;
      case "*" -> x * y;
      case "//" -> Math.floor(x / y);
      case "%" -> x - Math.floor(x / y) * y;
      default -> x / y;
    };
  }
}
