package org.bmojo.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bmojo.error.BadInput;
import org.bmojo.io.AtomicFolder;
import org.bmojo.text.Tokenizer;

/**
 * Text to shards, in bounded memory: documents are encoded a few megabytes at a time on all cores
 * and spooled as they come; then each part of the split is copied in its shuffled order.
 */
final class ShardWriter {
  /** Text to encode at once. */
  private static final int WINDOW = 8 << 20;

  private final Tokenizer tokenizer;
  private final Split split;
  private final long shardTokens;

  /**
   * Prepares to write.
   *
   * @param shardTokens a shard ends with the document that reaches this
   */
  ShardWriter(Tokenizer tokenizer, Split split, long shardTokens) {
    this.tokenizer = tokenizer;
    this.split = split;
    this.shardTokens = shardTokens;
  }

  void write(Path folder, TextSource source) {
    int end = tokenizer.endOfDocument(); // refuses before anything is read
    int tokenBytes = ShardHeader.tokenBytes(tokenizer.vocabulary());
    AtomicFolder.replace(
        folder,
        target -> {
          try (Spool train = new Spool(target.resolve("train.spool"), tokenBytes, end);
              Spool held = new Spool(target.resolve("validation.spool"), tokenBytes, end)) {
            encode(source, train, held);
            requireSomethingToTrainOn(train, held);
            write(target, Split.Part.TRAIN, train);
            write(target, Split.Part.VALIDATION, held);
          }
        });
  }

  private void encode(TextSource source, Spool train, Spool held) {
    List<Document> window = new ArrayList<>();
    long[] bytes = {0};
    source.forEach(document -> {
      window.add(document);
      bytes[0] += document.utf8().length;
      if (bytes[0] < WINDOW) return;
      spool(window, train, held);
      window.clear();
      bytes[0] = 0;
    });
    spool(window, train, held);
  }

  private void spool(List<Document> window, Spool train, Spool held) {
    List<int[]> encoded =
        window.parallelStream().map(document -> tokenizer.encode(document.utf8())).toList();
    try {
      for (int i = 0; i < encoded.size(); i++) {
        Document document = window.get(i);
        Spool spool = split.of(document.name()) == Split.Part.TRAIN ? train : held;
        spool.add(encoded.get(i), document.utf8().length);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void requireSomethingToTrainOn(Spool train, Spool held) {
    if (train.documents() > 0) return;
    throw new BadInput(
        "all " + held.documents() + " documents are held out for validation",
        "expected some to train on with a share of " + split.validationShare(),
        "Give more text, a smaller share or another seed");
  }

  private void write(Path folder, Split.Part part, Spool spool) throws IOException {
    if (spool.documents() == 0) return;
    int[] order = order(spool.documents(), part);
    List<int[]> shards = shards(order, spool);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment all = spool.map(arena);
      for (int shard = 0; shard < shards.size(); shard++) {
        Path file = folder.resolve(TokenShards.fileName(part, shard));
        write(file, shards.get(shard), header(shards.get(shard), spool, shard, shards), spool, all);
      }
    }
  }

  private int[] order(int documents, Split.Part part) {
    Permutation permutation = new Permutation(documents, Hash.of(part.fileName(), split.seed()));
    int[] order = new int[documents];
    for (int i = 0; i < documents; i++) order[i] = (int) permutation.at(i);
    return order;
  }

  /** Documents of each shard, by their place in the spool. */
  private List<int[]> shards(int[] order, Spool spool) {
    List<int[]> shards = new ArrayList<>();
    int first = 0;
    long tokens = 0;
    for (int i = 0; i < order.length; i++) {
      tokens += spool.tokens(order[i]);
      if (tokens < shardTokens && i + 1 < order.length) continue;
      shards.add(Arrays.copyOfRange(order, first, i + 1));
      first = i + 1;
      tokens = 0;
    }
    return shards;
  }

  private ShardHeader header(int[] documents, Spool spool, int shard, List<int[]> shards) {
    long tokens = 0;
    long textBytes = 0;
    for (int document : documents) {
      tokens += spool.tokens(document);
      textBytes += spool.textBytes(document);
    }
    return new ShardHeader(
        ShardHeader.tokenBytes(tokenizer.vocabulary()),
        tokens,
        documents.length,
        textBytes,
        tokenizer.fingerprint(),
        split.seed(),
        tokenizer.vocabulary(),
        tokenizer.endOfDocument(),
        shard,
        shards.size(),
        0);
  }

  private static void write(
      Path file, int[] documents, ShardHeader header, Spool spool, MemorySegment all)
      throws IOException {
    int n = header.tokenBytes();
    try (ShardOutput output = new ShardOutput(file, header)) {
      for (int i : documents) {
        output.add(all.asSlice(spool.start(i) * n, spool.tokens(i) * n), spool.textBytes(i));
      }
      output.finish();
    }
  }
}
