package org.bmojo.jinja;

import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/** Functions, methods, filters and tests: those that chat templates use. */
final class Builtins {
  private static final long LONGEST_RANGE = 100_000;

  private Builtins() {}

  static Map<String, Object> functions(LocalDateTime now) {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put(
        "raise_exception",
        (Function)
            (a, _) -> {
              throw TemplateError.raisedBy(Values.text(first(a)));
            });
    all.put("namespace", (Function) (_, named) -> new LinkedHashMap<>(named));
    all.put("dict", (Function) (_, named) -> new LinkedHashMap<>(named));
    all.put("range", (Function) (a, _) -> range(a));
    all.put("strftime_now", (Function) (a, _) -> strftime(Values.text(first(a)), now));
    return all;
  }

  private static List<Object> range(List<Object> a) {
    long from = a.size() > 1 ? Values.whole(a.get(0)) : 0;
    long to = Values.whole(a.get(a.size() > 1 ? 1 : 0));
    long step = a.size() > 2 ? Values.whole(a.get(2)) : 1;
    if (step == 0 || Math.abs((to - from) / step) > LONGEST_RANGE) {
      throw new TemplateError("a range of more than " + LONGEST_RANGE + " numbers");
    }
    return LongStream.iterate(from, i -> step > 0 ? i < to : i > to, i -> i + step)
        .mapToObj(i -> (Object) i)
        .toList();
  }

  private static String strftime(String format, LocalDateTime now) {
    Map<Character, String> patterns =
        Map.of(
            'd', "dd", 'm', "MM", 'Y', "yyyy", 'y', "yy", 'b', "MMM", 'B', "MMMM", 'H', "HH", 'M',
            "mm", 'A', "EEEE", 'S', "ss");
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < format.length(); i++) {
      char c = format.charAt(i);
      String pattern =
          c == '%' && i + 1 < format.length() ? patterns.get(format.charAt(i + 1)) : null;
      if (pattern == null) {
        text.append(c);
      } else {
        text.append(now.format(DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH)));
        i++;
      }
    }
    return text.toString();
  }

  private static Object first(List<Object> arguments) {
    return arguments.isEmpty() ? Absent.UNDEFINED : arguments.getFirst();
  }

  static Object method(Object of, String name, List<Object> a) {
    if (of instanceof String s) return ofText(s, name, a);
    if (of instanceof Map<?, ?> m) {
      switch (name) {
        case "items" -> {
          return m.entrySet().stream()
              .map(e -> (Object) List.of(e.getKey(), e.getValue()))
              .toList();
        }
        case "keys" -> {
          return List.copyOf(m.keySet());
        }
        case "values" -> {
          return List.copyOf(m.values());
        }
        case "get" -> {
          Object found = m.get(first(a));
          Object standard = a.size() > 1 ? a.get(1) : Absent.NONE;
          return found == null ? standard : found;
        }
        default -> {
          if (m.get(name) instanceof Function f) return f.call(a, Map.of());
        }
      }
    }
    throw new TemplateError("a method " + name + " of " + Values.text(of) + " is not known");
  }

  private static Object ofText(String s, String name, List<Object> a) {
    String argument = a.isEmpty() ? "" : Values.text(a.getFirst());
    return switch (name) {
      case "strip" -> strip(s, a.isEmpty() ? null : argument, true, true);
      case "lstrip" -> strip(s, a.isEmpty() ? null : argument, true, false);
      case "rstrip" -> strip(s, a.isEmpty() ? null : argument, false, true);
      case "startswith" -> s.startsWith(argument);
      case "endswith" -> s.endsWith(argument);
      case "upper" -> s.toUpperCase(Locale.ROOT);
      case "lower" -> s.toLowerCase(Locale.ROOT);
      case "title", "capitalize" -> capitalized(s, name.equals("title"));
      case "replace" -> s.replace(argument, Values.text(a.get(1)));
      case "split" -> split(s, a);
      case "join" ->
          Values.items(a.getFirst()).stream().map(Values::text).collect(Collectors.joining(s));
      case "find" -> (long) s.indexOf(argument);
      case "count" -> (long) s.split(Pattern.quote(argument), -1).length - 1;
      default -> throw new TemplateError("a method " + name + " of text is not known");
    };
  }

  private static List<Object> split(String s, List<Object> a) {
    if (a.isEmpty() || a.getFirst() instanceof Absent) {
      String stripped = s.strip();
      if (stripped.isEmpty()) return List.of();
      return List.copyOf(Arrays.asList(stripped.split("\\s+")));
    }
    int most = a.size() > 1 ? (int) Values.whole(a.get(1)) : -1;
    String[] parts = s.split(Pattern.quote(Values.text(a.getFirst())), most < 0 ? -1 : most + 1);
    return List.copyOf(Arrays.asList(parts));
  }

  private static String strip(String s, @Nullable String set, boolean left, boolean right) {
    int from = 0, to = s.length();
    while (left && from < to && strips(s.charAt(from), set)) from++;
    while (right && to > from && strips(s.charAt(to - 1), set)) to--;
    return s.substring(from, to);
  }

  private static boolean strips(char c, @Nullable String set) {
    return set == null ? Character.isWhitespace(c) : set.indexOf(c) >= 0;
  }

  private static String capitalized(String s, boolean everyWord) {
    StringBuilder text = new StringBuilder();
    boolean start = true;
    for (char c : s.toCharArray()) {
      text.append(start ? Character.toUpperCase(c) : Character.toLowerCase(c));
      start = everyWord && !Character.isLetterOrDigit(c);
    }
    return text.toString();
  }

  static Object filter(Object of, String name, List<Object> a, Map<String, Object> named) {
    return switch (name) {
      case "trim" -> Values.text(of).strip();
      case "string", "safe" -> Values.text(of);
      case "upper", "lower", "title", "capitalize", "replace" -> ofText(Values.text(of), name, a);
      case "length", "count" -> Values.length(of);
      case "tojson" -> Values.json(of);
      case "list" -> Values.items(of);
      case "first" -> Values.item(Values.items(of), 0L);
      case "last" -> Values.item(Values.items(of), -1L);
      case "reverse" -> Values.slice(of, Absent.NONE, Absent.NONE, -1);
      case "int" ->
          of instanceof String s ? (Object) Long.valueOf(s.strip()) : (long) Values.number(of);
      case "abs" -> of instanceof Long n ? (Object) Math.abs(n) : Math.abs(Values.number(of));
      case "items" -> method(of, "items", a);
      case "join" -> ofText(a.isEmpty() ? "" : Values.text(a.getFirst()), "join", List.of(of));
      case "default", "d" -> {
        boolean falsy = a.size() > 1 && Values.truth(a.get(1)) && !Values.truth(of);
        yield of == Absent.UNDEFINED || falsy ? first(a) : of;
      }
      case "map" -> map(of, a, named);
      case "select", "reject" -> choose(of, name.equals("select"), null, a);
      case "selectattr", "rejectattr" ->
          choose(of, name.equals("selectattr"), first(a), a.subList(1, a.size()));
      default -> throw new TemplateError("a filter " + name + " is not known");
    };
  }

  private static List<Object> map(Object of, List<Object> a, Map<String, Object> named) {
    Object attribute = named.get("attribute");
    List<Object> mapped = new ArrayList<>();
    for (Object item : Values.items(of)) {
      mapped.add(
          attribute != null
              ? Values.item(item, attribute)
              : filter(item, Values.text(first(a)), a.subList(1, a.size()), Map.of()));
    }
    return mapped;
  }

  private static List<Object> choose(
      Object of, boolean wanted, @Nullable Object attribute, List<Object> a) {
    List<Object> chosen = new ArrayList<>();
    for (Object item : Values.items(of)) {
      Object value = attribute == null ? item : Values.item(item, attribute);
      boolean yes =
          a.isEmpty()
              ? Values.truth(value)
              : test(value, Values.text(a.getFirst()), a.subList(1, a.size()));
      if (yes == wanted) chosen.add(item);
    }
    return chosen;
  }

  static boolean test(Object of, String name, List<Object> a) {
    return switch (name) {
      case "defined" -> of != Absent.UNDEFINED;
      case "undefined" -> of == Absent.UNDEFINED;
      case "none" -> of == Absent.NONE;
      case "string" -> of instanceof String;
      case "mapping" -> of instanceof Map<?, ?>;
      case "iterable", "sequence" ->
          of instanceof List<?> || of instanceof String || of instanceof Map<?, ?>;
      case "number" -> Values.isNumber(of);
      case "integer" -> of instanceof Long;
      case "boolean" -> of instanceof Boolean;
      case "true" -> Boolean.TRUE.equals(of);
      case "false" -> Boolean.FALSE.equals(of);
      case "callable" -> of instanceof Function;
      case "odd" -> Values.whole(of) % 2 != 0;
      case "even" -> Values.whole(of) % 2 == 0;
      case "equalto", "eq" -> Values.same(of, first(a));
      case "ne" -> !Values.same(of, first(a));
      case "in" -> Values.contains(first(a), of);
      default -> throw new TemplateError("a test \"is " + name + "\" is not known");
    };
  }
}
