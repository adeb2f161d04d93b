package org.bmojo.jinja;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.bmojo.io.Json;

/** What Python says of values: truth, text, order, elements. */
final class Values {
  private Values() {}

  static boolean truth(Object value) {
    return switch (value) {
      case Absent _ -> false;
      case Boolean b -> b;
      case Long n -> n != 0;
      case Double x -> x != 0;
      case String s -> !s.isEmpty();
      case Collection<?> c -> !c.isEmpty();
      case Map<?, ?> m -> !m.isEmpty();
      default -> true;
    };
  }

  /** As {@code {{ value }}} prints it. */
  static String text(Object value) {
    return switch (value) {
      case Boolean b -> b ? "True" : "False";
      case Collection<?> c ->
          c.stream().map(Values::quoted).collect(Collectors.joining(", ", "[", "]"));
      case Map<?, ?> m ->
          m.entrySet().stream()
              .map(e -> quoted(e.getKey()) + ": " + quoted(e.getValue()))
              .collect(Collectors.joining(", ", "{", "}"));
      default -> value.toString();
    };
  }

  private static String quoted(Object value) {
    return value instanceof String s ? "'" + s.replace("'", "\\'") + "'" : text(value);
  }

  /** As Python's json.dumps without ASCII escapes. */
  static String json(Object value) {
    return switch (value) {
      case Absent _ -> "null";
      case Boolean b -> b.toString();
      case String s -> Json.mapper().writeValueAsString(s);
      case Collection<?> c ->
          c.stream().map(Values::json).collect(Collectors.joining(", ", "[", "]"));
      case Map<?, ?> m ->
          m.entrySet().stream()
              .map(e -> json(text(e.getKey())) + ": " + json(e.getValue()))
              .collect(Collectors.joining(", ", "{", "}"));
      default -> value.toString();
    };
  }

  static boolean same(Object a, Object b) {
    if (isNumber(a) && isNumber(b)) return number(a) == number(b);
    return Objects.equals(a, b);
  }

  static boolean isNumber(Object value) {
    return value instanceof Long || value instanceof Double;
  }

  static double number(Object value) {
    if (value instanceof Number n) return n.doubleValue();
    throw new TemplateError("found " + quoted(value) + ", expected a number");
  }

  static long whole(Object value) {
    if (value instanceof Long n) return n;
    throw new TemplateError("found " + quoted(value) + ", expected a whole number");
  }

  static int order(Object a, Object b) {
    if (a instanceof String s && b instanceof String t) return s.compareTo(t);
    return Double.compare(number(a), number(b));
  }

  static boolean contains(Object all, Object one) {
    return switch (all) {
      case String s -> s.contains(text(one));
      case Collection<?> c -> c.stream().anyMatch(item -> same(item, one));
      case Map<?, ?> m -> m.containsKey(one);
      default -> false;
    };
  }

  /** What a loop goes over. */
  static List<Object> items(Object value) {
    return switch (value) {
      case Collection<?> c -> List.copyOf(c);
      case Map<?, ?> m -> List.copyOf(m.keySet());
      case String s -> List.copyOf(s.codePoints().mapToObj(Character::toString).toList());
      case Absent a when a == Absent.UNDEFINED -> List.of();
      default -> throw new TemplateError("found " + quoted(value) + ", expected a list");
    };
  }

  static long length(Object value) {
    return switch (value) {
      case String s -> s.codePointCount(0, s.length());
      case Map<?, ?> m -> m.size();
      default -> items(value).size();
    };
  }

  /** Attribute or element; undefined where there is none. */
  static Object item(Object of, Object key) {
    if (of instanceof Map<?, ?> m) {
      Object found = m.get(key);
      return found == null ? Absent.UNDEFINED : found;
    }
    if (of instanceof Absent) {
      throw new TemplateError("what is not there has no " + text(key));
    }
    if (!(key instanceof Long index)) return Absent.UNDEFINED;
    List<Object> items = items(of);
    int at = (int) (index < 0 ? items.size() + index : index);
    return at >= 0 && at < items.size() ? items.get(at) : Absent.UNDEFINED;
  }

  /** Elements from … to, Absent for open ends. */
  static Object slice(Object of, Object from, Object to, long step) {
    List<Object> items = items(of);
    if (step == 0) throw new TemplateError("a slice with step 0");
    int size = items.size();
    int first = bound(from, step > 0 ? 0 : size - 1, size);
    int end = bound(to, step > 0 ? size : -1 - size, size);
    if (step < 0 && to instanceof Absent) end = -1;
    int stop = end;
    List<Object> taken =
        IntStream.iterate(first, i -> step > 0 ? i < stop : i > stop, i -> i + (int) step)
            .filter(i -> i >= 0 && i < size)
            .mapToObj(items::get)
            .toList();
    if (!(of instanceof String)) return taken;
    return taken.stream().map(Values::text).collect(Collectors.joining());
  }

  private static int bound(Object value, int open, int size) {
    if (value instanceof Absent) return open;
    long n = whole(value);
    return (int) Math.clamp(n < 0 ? n + size : n, 0, size);
  }
}
