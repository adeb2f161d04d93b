package org.bmojo.data;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.ToLongFunction;
import org.bmojo.error.BadInput;
import org.bmojo.io.AtomicFolder;
import org.bmojo.io.FileTrouble;
import org.bmojo.text.Tokenizer;

/**
 * Tokens of one part of a split, in mapped files: documents one after another in an order that the
 * seed decided, each followed by the id that ends a document.
 *
 * <p>A folder has {@code train-00000.tokens}, … and, if anything was held out, {@code
 * validation-00000.tokens}, …. Readable from many threads.
 */
public final class TokenShards implements AutoCloseable {
  /** Tokens in a shard before the next begins: files of half a gigabyte. */
  public static final long SHARD_TOKENS = 1 << 28;

  private final List<TokenShard> shards;
  private final Arena arena;

  private TokenShards(List<TokenShard> shards, Arena arena) {
    this.shards = List.copyOf(shards);
    this.arena = arena;
  }

  /**
   * Encodes {@code source} and replaces {@code folder} by the shards of both parts.
   *
   * @throws BadInput if the source has no text, or nothing is left to train on, or the disk
   *     refuses; the folder is then as it was
   */
  public static void write(Path folder, TextSource source, Tokenizer tokenizer, Split split) {
    write(folder, source, tokenizer, split, SHARD_TOKENS);
  }

  /**
   * The same in shards of another size.
   *
   * @param shardTokens a shard ends with the document that reaches this
   */
  public static void write(
      Path folder, TextSource source, Tokenizer tokenizer, Split split, long shardTokens) {
    if (shardTokens < 1) {
      throw new BadInput(
          "shards of " + shardTokens + " tokens", "expected at least 1", "Correct the size");
    }
    new ShardWriter(tokenizer, split, shardTokens).write(folder, source);
  }

  /** What shards were made with, told by the first. */
  public record Origin(int vocabulary, long tokenizer, long seed, int shards) {}

  /**
   * Opens one part whatever tokenizer made it: to look at, not to train on.
   *
   * @throws BadInput if shards are absent or damaged
   */
  public static TokenShards open(Path folder, Split.Part part) {
    Arena arena = Arena.ofShared();
    try {
      List<TokenShard> shards = new ArrayList<>();
      for (Path file : files(AtomicFolder.current(folder), part)) {
        shards.add(TokenShard.open(file, arena));
      }
      requireOneSet(shards);
      return new TokenShards(shards, arena);
    } catch (RuntimeException e) {
      arena.close();
      throw e;
    }
  }

  /** What they were made with. */
  public Origin origin() {
    ShardHeader h = shards.getFirst().header();
    return new Origin(h.vocabulary(), h.fingerprint(), h.seed(), shards.size());
  }

  /** Whether {@code folder} has shards of {@code part}. */
  public static boolean exist(Path folder, Split.Part part) {
    return Files.exists(AtomicFolder.current(folder).resolve(fileName(part, 0)));
  }

  /**
   * Opens one part.
   *
   * @param tokenizer the tokenizer of the model that is to read them
   * @throws BadInput if shards are absent, damaged or made with another tokenizer
   */
  public static TokenShards open(Path folder, Split.Part part, Tokenizer tokenizer) {
    TokenShards opened = open(folder, part);
    try {
      requireMadeWith(tokenizer, opened.shards.getFirst());
      return opened;
    } catch (RuntimeException e) {
      opened.close();
      throw e;
    }
  }

  /**
   * Opens what is sound of one part, having read all of it.
   *
   * @param damaged is told of each shard that is left out: its file, and where it is damaged
   * @throws BadInput if no shard is sound, or they were made with another tokenizer
   */
  public static TokenShards openSound(
      Path folder, Split.Part part, Tokenizer tokenizer, Consumer<BadInput> damaged) {
    Arena arena = Arena.ofShared();
    try {
      List<TokenShard> sound = new ArrayList<>();
      BadInput last = null;
      for (Path file : files(AtomicFolder.current(folder), part)) {
        try {
          TokenShard shard = TokenShard.open(file, arena);
          shard.checkAll();
          sound.add(shard);
        } catch (BadInput e) {
          damaged.accept(e);
          last = e;
        }
      }
      if (sound.isEmpty() && last != null) throw last;
      requireMadeWith(tokenizer, sound.getFirst());
      return new TokenShards(sound, arena);
    } catch (RuntimeException e) {
      arena.close();
      throw e;
    }
  }

  static String fileName(Split.Part part, int shard) {
    return "%s-%05d.tokens".formatted(part.fileName(), shard);
  }

  private static List<Path> files(Path folder, Split.Part part) {
    List<Path> files = new ArrayList<>();
    try (DirectoryStream<Path> found =
        Files.newDirectoryStream(folder, part.fileName() + "-*.tokens")) {
      found.forEach(files::add);
    } catch (IOException e) {
      throw FileTrouble.reading(folder, e);
    }
    if (files.isEmpty()) {
      throw new BadInput(
          folder + " has no " + part.fileName() + " shards",
          "expected " + fileName(part, 0),
          part == Split.Part.TRAIN
              ? "Make shards from a text first"
              : "Give more text or a larger validation share");
    }
    return files.stream().sorted().toList();
  }

  private static void requireOneSet(List<TokenShard> shards) {
    ShardHeader first = shards.getFirst().header();
    for (int i = 0; i < shards.size(); i++) {
      ShardHeader h = shards.get(i).header();
      boolean belongs =
          h.shard() == i
              && h.shards() == shards.size()
              && h.seed() == first.seed()
              && h.fingerprint() == first.fingerprint();
      if (belongs) continue;
      throw new BadInput(
          shards.get(i).file()
              + " is shard "
              + h.shard()
              + " of "
              + h.shards()
              + ", seed "
              + h.seed(),
          "expected shard %d of %d, seed %d".formatted(i, shards.size(), first.seed()),
          "Make the shards again from the text");
    }
  }

  private static void requireMadeWith(Tokenizer tokenizer, TokenShard shard) {
    if (shard.header().fingerprint() == tokenizer.fingerprint()) return;
    throw new BadInput(
        shard.file()
            + " was made with another tokenizer, of "
            + shard.header().vocabulary()
            + " ids",
        "expected " + tokenizer.name(),
        "Make the shards again with the model's tokenizer");
  }

  /** How many tokens there are, ends of documents included. */
  public long tokens() {
    return sum(ShardHeader::tokens);
  }

  /** How many documents there are. */
  public long documents() {
    return sum(ShardHeader::documents);
  }

  /** Bytes of UTF-8 that all tokens stand for: what bits per byte are counted in. */
  public long textBytes() {
    return sum(ShardHeader::textBytes);
  }

  private long sum(ToLongFunction<ShardHeader> count) {
    return shards.stream().map(TokenShard::header).mapToLong(count).sum();
  }

  /**
   * One document whole, for evaluation in order.
   *
   * @param i {@code 0 … documents − 1}
   * @return its tokens, the last of which ends the document, and its length in bytes
   */
  public TokenDocument document(long i) {
    long rest = i;
    for (TokenShard shard : shards) {
      if (rest >= 0 && rest < shard.header().documents()) {
        return new TokenDocument(shard.document(rest), shard.documentBytes(rest));
      }
      rest -= shard.header().documents();
    }
    throw new IndexOutOfBoundsException("document " + i + " of " + documents());
  }

  /** Reads everything once and checks it; reading checks as it goes anyway. */
  public void verify() {
    shards.forEach(TokenShard::checkAll);
  }

  int shardCount() {
    return shards.size();
  }

  long tokens(int shard) {
    return shards.get(shard).header().tokens();
  }

  /** Widens tokens of one shard to int64 at {@code into}. */
  void read(int shard, long from, int count, MemorySegment into) {
    shards.get(shard).read(from, count, into);
  }

  /**
   * Where the documents of tokens of one shard begin, int32 at {@code into}: counted from {@code
   * from}, negative where before it.
   */
  void begins(int shard, long from, int count, MemorySegment into) {
    shards.get(shard).begins(from, count, into);
  }

  /** Unmaps the files; nothing may be read any more. */
  @Override
  public void close() {
    arena.close();
  }
}
