package org.bmojo.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bmojo.jinja.Expression.Arguments;
import org.bmojo.jinja.Token.Kind;
import org.jspecify.annotations.Nullable;

/** Tokens → tree, by recursive descent; {@link ExpressionParser} does what stands in tags. */
final class Parser {
  private final ExpressionParser in;

  private Parser(List<Token> tokens) {
    in = new ExpressionParser(tokens);
  }

  static List<Node> parse(String source) {
    Parser parser = new Parser(Lexer.tokens(source));
    List<Node> nodes = parser.body();
    if (parser.in.peek().kind() != Kind.END) throw parser.in.error("a block ends unopened");
    return nodes;
  }

  /** Until a block begins that this does not know, such as {@code endif}. */
  private List<Node> body() {
    List<Node> nodes = new ArrayList<>();
    while (true) {
      Token token = in.peek();
      switch (token.kind()) {
        case DATA -> {
          in.next();
          nodes.add(new Node.Text(token.text()));
        }
        case PRINT_BEGIN -> {
          in.next();
          nodes.add(new Node.Print(in.tupleOrOne()));
          in.expect(Kind.PRINT_END);
        }
        case BLOCK_BEGIN -> {
          Node node = block();
          if (node == null) return nodes;
          nodes.add(node);
        }
        default -> {
          return nodes;
        }
      }
    }
  }

  private @Nullable Node block() {
    String word = in.peek(1).text();
    switch (word) {
      case "if", "for", "set", "macro", "break", "continue", "generation" -> {
        in.next();
        in.next();
      }
      case "endif", "endfor", "endset", "endmacro", "endgeneration", "else", "elif" -> {
        return null;
      }
      default -> throw in.error("the block \"" + word + "\" is not known here");
    }
    return switch (word) {
      case "if" -> afterIf();
      case "for" -> afterFor();
      case "set" -> afterSet();
      case "macro" -> afterMacro();
      case "generation" -> {
        in.expect(Kind.BLOCK_END);
        List<Node> body = body();
        end("endgeneration");
        yield new Node.Group(body);
      }
      default -> {
        in.expect(Kind.BLOCK_END);
        yield new Node.Jump(word.equals("break"));
      }
    };
  }

  private Node afterIf() {
    Expression condition = in.expression();
    in.expect(Kind.BLOCK_END);
    List<Node> then = body();
    if (in.peek(1).isName("elif")) {
      in.next();
      in.next();
      return new Node.If(condition, then, List.of(afterIf()));
    }
    List<Node> otherwise = otherwise();
    end("endif");
    return new Node.If(condition, then, otherwise);
  }

  private List<Node> otherwise() {
    if (!in.peek(1).isName("else")) return List.of();
    end("else");
    return body();
  }

  private Node afterFor() {
    List<String> names = new ArrayList<>();
    do {
      names.add(in.expect(Kind.NAME).text());
    } while (in.take(","));
    in.expectName("in");
    Expression over = in.withoutChoice();
    Expression condition = null;
    if (in.peek().isName("if")) {
      in.next();
      condition = in.expression();
    }
    in.expect(Kind.BLOCK_END);
    List<Node> body = body();
    List<Node> otherwise = otherwise();
    end("endfor");
    return new Node.For(names, over, condition, body, otherwise);
  }

  private Node afterSet() {
    String name = in.expect(Kind.NAME).text();
    String attribute = in.take(".") ? in.expect(Kind.NAME).text() : null;
    if (in.take("=")) {
      Expression value = in.tupleOrOne();
      in.expect(Kind.BLOCK_END);
      return new Node.Set(name, attribute, value);
    }
    in.expect(Kind.BLOCK_END);
    List<Node> body = body();
    end("endset");
    return new Node.SetBlock(name, body);
  }

  private Node afterMacro() {
    String name = in.expect(Kind.NAME).text();
    in.expectOperator("(");
    Map<String, Expression> parameters = new LinkedHashMap<>();
    while (!in.take(")")) {
      String parameter = in.expect(Kind.NAME).text();
      Expression standard = new Expression.Literal(Absent.UNDEFINED);
      if (in.take("=")) standard = in.expression();
      parameters.put(parameter, standard);
      in.take(",");
    }
    in.expect(Kind.BLOCK_END);
    List<Node> body = body();
    end("endmacro");
    return new Node.Macro(name, new Arguments(List.of(), parameters), body);
  }

  private void end(String word) {
    in.expect(Kind.BLOCK_BEGIN);
    in.expectName(word);
    in.expect(Kind.BLOCK_END);
  }
}
