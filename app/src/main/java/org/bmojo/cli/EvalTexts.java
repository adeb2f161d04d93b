package org.bmojo.cli;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.bmojo.data.Document;
import org.bmojo.data.Split;
import org.bmojo.data.TextSource;
import org.bmojo.data.TokenDocument;
import org.bmojo.data.TokenShards;
import org.bmojo.error.BadInput;
import org.bmojo.eval.LmScorer.Text;
import org.bmojo.text.Tokenizer;

/**
 * Texts to evaluate on, by category: {@code prose=books/}, {@code code=tokens/code}. What has no
 * name is called after its file or folder.
 */
final class EvalTexts {
  private EvalTexts() {}

  /** All texts of {@code sources}, in their order, the first {@code length} tokens of each. */
  static List<Text> read(List<String> sources, Tokenizer tokenizer, int length) {
    List<Text> texts = new ArrayList<>();
    for (String given : sources) {
      int equals = given.indexOf('=');
      boolean named = equals > 0 && !Files.exists(Path.of(given));
      String source = named ? given.substring(equals + 1) : given;
      String category = named ? given.substring(0, equals) : fileName(source);
      if (isShards(source)) {
        addShards(texts, category, Path.of(source), tokenizer, length);
      } else {
        for (Document document : documents(source)) {
          int[] tokens = tokenizer.encode(document.utf8());
          long bytes = document.utf8().length;
          texts.add(head(new Text(document.name(), category, tokens, bytes), tokenizer, length));
        }
      }
    }
    if (texts.isEmpty()) {
      throw new BadInput("no texts", "expected some to evaluate on", "Name a file or folder");
    }
    return texts;
  }

  /** Those of a source; a file that holds one text is one, though training cuts it into parts. */
  private static List<Document> documents(String source) {
    List<Document> documents = new ArrayList<>();
    TextSource.of(source).forEach(documents::add);
    boolean many = source.matches(".*\\.(jsonl|ndjson|zip|jar)(\\.gz)?(#.*)?");
    if (many || !Files.isRegularFile(Path.of(source))) return documents;
    ByteArrayOutputStream whole = new ByteArrayOutputStream();
    documents.forEach(part -> whole.writeBytes(part.utf8()));
    return List.of(new Document(fileName(source), whole.toByteArray()));
  }

  private static String fileName(String source) {
    Path name = Path.of(source).getFileName();
    return name == null ? source : name.toString();
  }

  private static boolean isShards(String source) {
    try {
      Path path = Path.of(source);
      return Files.isDirectory(path)
          && (TokenShards.exist(path, Split.Part.VALIDATION)
              || TokenShards.exist(path, Split.Part.TRAIN));
    } catch (InvalidPathException e) {
      return false; // FILE#FIELD need not be a path.
    }
  }

  /** What data prepare held out, or everything where it held out nothing. */
  private static void addShards(
      List<Text> texts, String category, Path folder, Tokenizer tokenizer, int length) {
    boolean held = TokenShards.exist(folder, Split.Part.VALIDATION);
    Split.Part part = held ? Split.Part.VALIDATION : Split.Part.TRAIN;
    try (TokenShards shards = TokenShards.open(folder, part, tokenizer)) {
      for (long i = 0; i < shards.documents(); i++) {
        TokenDocument d = shards.document(i);
        int[] tokens = Arrays.copyOf(d.tokens(), d.tokens().length - 1); // without its end
        Text text = new Text(category + " " + i, category, tokens, d.textBytes());
        texts.add(head(text, tokenizer, length));
      }
    }
  }

  private static Text head(Text text, Tokenizer tokenizer, int length) {
    if (text.tokens().length <= length) return text;
    return piece(text.name(), text.category(), tokenizer, Arrays.copyOf(text.tokens(), length));
  }

  private static Text piece(String name, String category, Tokenizer tokenizer, int[] tokens) {
    long bytes = tokenizer.decode(tokens).getBytes(StandardCharsets.UTF_8).length;
    return new Text(name, category, tokens, bytes);
  }

  /**
   * The texts of each category one after the other, each with its end, cut into pieces of {@code
   * length} tokens.
   */
  static List<Text> concatenated(List<Text> texts, Tokenizer tokenizer, int length) {
    int end = tokenizer.endOfDocument();
    Map<String, IntStream.Builder> joined = new LinkedHashMap<>();
    for (Text text : texts) {
      IntStream.Builder all = joined.computeIfAbsent(text.category(), _ -> IntStream.builder());
      for (int token : text.tokens()) all.add(token);
      all.add(end);
    }
    List<Text> pieces = new ArrayList<>();
    joined.forEach((category, builder) -> {
      int[] all = builder.build().toArray();
      for (int from = 0; from < all.length; from += Math.min(length, all.length - from)) {
        int to = (int) Math.min(all.length, (long) from + length);
        String name = category + " " + from + " to " + (to - 1);
        pieces.add(piece(name, category, tokenizer, Arrays.copyOfRange(all, from, to)));
      }
    });
    return pieces;
  }
}
