package org.bmojo.jinja;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bmojo.jinja.Expression.Arguments;

/**
 * Walks a template's tree. Bounded in text, in time and in depth, for templates come from others.
 */
final class Interpreter {
  private static final int LONGEST = 64 << 20;
  private static final int STEPS = 2_000_000;
  private static final int DEPTH = 100;

  private final Deque<Map<String, Object>> scopes = new ArrayDeque<>();
  private StringBuilder out = new StringBuilder();
  private int steps;
  private int depth;

  /** How a body was left. */
  private enum Way {
    END,
    BREAK,
    CONTINUE
  }

  Interpreter(Map<String, Object> variables) {
    scopes.push(new HashMap<>(variables));
  }

  String run(List<Node> nodes) {
    body(nodes);
    return out.toString();
  }

  private Way body(List<Node> nodes) {
    for (Node node : nodes) {
      Way way = node(node);
      if (way != Way.END) return way;
    }
    return Way.END;
  }

  private Way node(Node node) {
    countStep();
    switch (node) {
      case Node.Text t -> print(t.text());
      case Node.Print p -> print(Values.text(value(p.value())));
      case Node.If i -> {
        return body(Values.truth(value(i.condition())) ? i.then() : i.otherwise());
      }
      case Node.For f -> loop(f);
      case Node.Set s -> set(s);
      case Node.SetBlock s -> assign(s.name(), captured(s.body()));
      case Node.Macro m -> assign(m.name(), macro(m));
      case Node.Group g -> {
        return body(g.body());
      }
      case Node.Jump j -> {
        return j.out() ? Way.BREAK : Way.CONTINUE;
      }
    }
    return Way.END;
  }

  private void countStep() {
    if (++steps > STEPS) throw new TemplateError("the template does not end");
  }

  private void print(String text) {
    if (out.length() + text.length() > LONGEST) throw new TemplateError("the text is too long");
    out.append(text);
  }

  private String captured(List<Node> nodes) {
    StringBuilder outer = out;
    out = new StringBuilder();
    try {
      body(nodes);
      return out.toString();
    } finally {
      out = outer;
    }
  }

  private void set(Node.Set s) {
    Object value = value(s.value());
    if (s.attribute() == null) {
      assign(s.name(), value);
    } else if (lookUp(s.name()) instanceof Map<?, ?> namespace) {
      @SuppressWarnings("unchecked") // only namespace() makes maps that templates name
      Map<String, Object> open = (Map<String, Object>) namespace;
      open.put(s.attribute(), value);
    } else {
      throw new TemplateError(s.name() + " is no namespace");
    }
  }

  private void assign(String name, Object value) {
    scopes.element().put(name, value);
  }

  private Object lookUp(String name) {
    for (Map<String, Object> scope : scopes) {
      Object found = scope.get(name);
      if (found != null) return found;
    }
    return Absent.UNDEFINED;
  }

  private void loop(Node.For f) {
    List<Object> items = new ArrayList<>();
    scopes.push(new HashMap<>());
    try {
      for (Object item : Values.items(value(f.over()))) {
        bind(f.names(), item);
        if (f.condition() == null || Values.truth(value(f.condition()))) items.add(item);
      }
      for (int i = 0; i < items.size(); i++) {
        countStep();
        scopes.element().clear();
        bind(f.names(), items.get(i));
        assign("loop", position(items, i));
        if (body(f.body()) == Way.BREAK) break;
      }
    } finally {
      scopes.pop();
    }
    if (items.isEmpty()) body(f.otherwise());
  }

  private static Map<String, Object> position(List<Object> items, int i) {
    Map<String, Object> loop = new HashMap<>();
    loop.put("index", i + 1L);
    loop.put("index0", (long) i);
    loop.put("revindex", (long) items.size() - i);
    loop.put("revindex0", items.size() - i - 1L);
    loop.put("first", i == 0);
    loop.put("last", i == items.size() - 1);
    loop.put("length", (long) items.size());
    if (i > 0) loop.put("previtem", items.get(i - 1));
    if (i + 1 < items.size()) loop.put("nextitem", items.get(i + 1));
    return loop;
  }

  private void bind(List<String> names, Object item) {
    if (names.size() == 1) {
      assign(names.getFirst(), item);
      return;
    }
    List<Object> parts = Values.items(item);
    for (int n = 0; n < names.size(); n++) assign(names.get(n), Values.item(parts, (long) n));
  }

  private Function macro(Node.Macro m) {
    return (arguments, named) -> {
      scopes.push(new HashMap<>());
      try {
        int n = 0;
        for (Map.Entry<String, Expression> e : m.parameters().named().entrySet()) {
          Object given = n < arguments.size() ? arguments.get(n) : named.get(e.getKey());
          assign(e.getKey(), given == null ? value(e.getValue()) : given);
          n++;
        }
        return captured(m.body());
      } finally {
        scopes.pop();
      }
    };
  }

  private List<Object> values(List<Expression> all) {
    List<Object> values = new ArrayList<>();
    for (Expression e : all) values.add(value(e));
    return values;
  }

  private Map<String, Object> named(Arguments arguments) {
    Map<String, Object> named = new LinkedHashMap<>();
    arguments.named().forEach((name, e) -> named.put(name, value(e)));
    return named;
  }

  private Object value(Expression expression) {
    countStep();
    if (++depth > DEPTH) throw new TemplateError("the template calls itself too deeply");
    try {
      return switch (expression) {
        case Expression.Literal l -> l.value();
        case Expression.Name n -> lookUp(n.name());
        case Expression.ListOf l -> values(l.items());
        case Expression.MapOf m -> map(m);
        case Expression.Item i -> Values.item(value(i.of()), value(i.key()));
        case Expression.Slice s ->
            Values.slice(
                value(s.of()),
                s.from() == null ? Absent.NONE : value(s.from()),
                s.to() == null ? Absent.NONE : value(s.to()),
                s.step() == null ? 1 : Values.whole(value(s.step())));
        case Expression.Call c -> call(c);
        case Expression.MethodCall m ->
            Builtins.method(value(m.of()), m.method(), values(m.arguments().positional()));
        case Expression.Filter f ->
            Builtins.filter(
                value(f.of()),
                f.filter(),
                values(f.arguments().positional()),
                named(f.arguments()));
        case Expression.Test t ->
            t.negated() ^ Builtins.test(tested(t), t.test(), values(t.arguments().positional()));
        case Expression.Unary u -> unary(u.operator(), value(u.of()));
        case Expression.Binary b ->
            Operators.binary(b.operator(), value(b.left()), () -> value(b.right()));
        case Expression.Choice c ->
            value(Values.truth(value(c.condition())) ? c.then() : c.otherwise());
      };
    } finally {
      depth--;
    }
  }

  /** {@code x.y.z is defined} asks; elsewhere reading from what is not there is an error. */
  private Object tested(Expression.Test t) {
    try {
      return value(t.of());
    } catch (TemplateError e) {
      if (e.isRaised() || !t.test().endsWith("defined")) throw e;
      return Absent.UNDEFINED;
    }
  }

  private Map<Object, Object> map(Expression.MapOf m) {
    Map<Object, Object> map = new LinkedHashMap<>();
    List<Object> keys = values(m.keys()), values = values(m.values());
    for (int i = 0; i < keys.size(); i++) map.put(keys.get(i), values.get(i));
    return map;
  }

  private Object call(Expression.Call c) {
    if (value(c.function()) instanceof Function f) {
      return f.call(values(c.arguments().positional()), named(c.arguments()));
    }
    String name = c.function() instanceof Expression.Name n ? n.name() : "what is called";
    throw new TemplateError(name + " is no function");
  }

  private static Object unary(String operator, Object value) {
    if (operator.equals("not")) return !Values.truth(value);
    return value instanceof Long n ? (Object) (-n) : (Object) (-Values.number(value));
  }
}
