package org.bmojo.data;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.bmojo.error.BadInput;
import org.bmojo.io.FileTrouble;
import org.bmojo.io.Json;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * One document a line: the string in {@code field} of a JSON object. Empty strings are passed over.
 */
record JsonLinesSource(Path file, String field) implements TextSource {
  @Override
  public void forEach(Consumer<Document> action) {
    long count = 0;
    try (InputStream in = new BufferedInputStream(FileSource.open(file), 1 << 16);
        JsonParser parser = Json.mapper().createParser(in)) {
      while (parser.nextToken() != null) {
        int line = parser.currentTokenLocation().getLineNr();
        Document document = Document.of(file.getFileName() + "#" + line, text(parser, line));
        if (document.utf8().length == 0) continue;
        if (PlainText.firstFault(document.utf8()) >= 0) {
          throw bad(line, "has a NUL in \"" + field + "\"", "expected text");
        }
        action.accept(document);
        count++;
      }
    } catch (JacksonException e) {
      throw Json.trouble(file.toString(), e);
    } catch (IOException e) {
      throw FileTrouble.reading(file, e);
    }
    if (count == 0) throw PlainFile.empty(file.toString());
  }

  private String text(JsonParser parser, int line) {
    if (parser.currentToken() != JsonToken.START_OBJECT) {
      throw bad(line, "is no JSON object", "expected {\"" + field + "\": …}");
    }
    @Nullable String text = null;
    Set<String> others = new TreeSet<>();
    for (String name = parser.nextName(); name != null; name = parser.nextName()) {
      JsonToken value = parser.nextToken();
      if (!name.equals(field)) {
        others.add(name);
        parser.skipChildren();
      } else if (value == JsonToken.VALUE_STRING) {
        text = parser.getString();
      } else {
        throw bad(line, "has " + value + " in \"" + field + "\"", "expected a string");
      }
    }
    if (text != null) return text;
    throw bad(line, "has no \"" + field + "\", but " + others, "expected it in every line");
  }

  private BadInput bad(int line, String found, String expected) {
    return new BadInput(
        file + ": line " + line + " " + found,
        expected,
        "Name the field that holds the text, as in " + file.getFileName() + "#content");
  }
}
