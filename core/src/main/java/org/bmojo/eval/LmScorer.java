package org.bmojo.eval;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import org.bmojo.error.BadInput;
import org.bmojo.eval.SideBySide.Piece;
import org.bmojo.eval.SideBySide.Sequence;
import org.bmojo.kernels.torch.Later;
import org.bmojo.model.Batch;
import org.bmojo.model.ModelState;
import org.jspecify.annotations.Nullable;

/**
 * Scores texts by one of the {@link Windows conventions} for long documents, never two of them in
 * one memory.
 */
public final class LmScorer {
  /**
   * A text as tokens.
   *
   * @param name for the result
   * @param category likewise
   * @param tokens without the end of the document
   * @param bytes of UTF-8 that they stand for
   */
  @SuppressWarnings("ArrayRecordComponent") // handed on, never compared
  public record Text(String name, String category, int[] tokens, long bytes) {}

  private final SideBySide reader;
  private final int end;

  /**
   * Scores with what {@code reader} reads.
   *
   * @param end the id that ends documents; it stands in front of each
   */
  public LmScorer(SideBySide reader, int end) {
    this.reader = reader;
    this.end = end;
  }

  /** What is counted of one text while it is read. */
  private static final class Tally {
    private final List<double[]> bins = new ArrayList<>(); // tokens, nats
    private long tokens;
    private double nats;

    void count(int position, double loss) {
      int bin = PositionGrid.bin(position);
      while (bins.size() <= bin) bins.add(new double[2]);
      bins.get(bin)[0]++;
      bins.get(bin)[1] += loss;
      tokens++;
      nats += loss;
    }

    List<LmScore.Bin> bins() {
      List<LmScore.Bin> list = new ArrayList<>();
      for (int i = 0; i < bins.size(); i++) {
        double[] b = bins.get(i);
        list.add(new LmScore.Bin(PositionGrid.from(i), PositionGrid.to(i), (long) b[0], b[1]));
      }
      return list;
    }
  }

  /** The loss of every token. */
  private final class Losses implements SideBySide.Question {
    private final List<Tally> owners; // of the sequences
    private final LongConsumer progress;

    Losses(List<Tally> owners, LongConsumer progress) {
      this.owners = owners;
      this.progress = progress;
    }

    @Override
    public Later ask(Batch batch, Piece piece, @Nullable ModelState state) {
      return new Later(reader.model().losses(batch, state)); // (B, T)
    }

    @Override
    public void told(Piece piece, double[] losses) {
      for (int r = 0; r < piece.rows(); r++) {
        Tally tally = owners.get(piece.numbers().get(r));
        for (int i = piece.first(r); i < piece.last(r); i++) {
          tally.count(piece.at() + i, losses[r * piece.length() + i]);
        }
        progress.accept(Math.max(0, piece.last(r)));
      }
    }
  }

  /**
   * Scores {@code texts}. Bytes are told where each token counts once; of a stream that is limited,
   * only for texts that are not longer.
   *
   * @param progress is told of tokens as they are read
   * @return one each, in their order
   * @throws BadInput if none of them is long enough for a window
   */
  public List<LmScore> score(Windows windows, List<Text> texts, LongConsumer progress) {
    List<Sequence> sequences = new ArrayList<>();
    List<Tally> owners = new ArrayList<>();
    List<Tally> tallies = new ArrayList<>();
    for (Text text : texts) {
      Tally tally = new Tally();
      tallies.add(tally);
      for (Windows.Span span : windows.of(text.tokens.length)) {
        sequences.add(new Sequence(text.tokens, end, span.from(), span.to(), span.counted()));
        owners.add(tally);
      }
    }
    if (sequences.stream().noneMatch(s -> s.length() > 0)) {
      throw new BadInput(
          "no text of %d tokens among %d".formatted(windows.length(), texts.size()),
          "expected one that fills a window",
          "Shorten the windows or give longer texts");
    }
    reader.read(sequences, new Losses(owners, progress));
    List<LmScore> scores = new ArrayList<>();
    for (int i = 0; i < texts.size(); i++) {
      Text text = texts.get(i);
      Tally t = tallies.get(i);
      boolean all = windows.countsOnce() && t.tokens == text.tokens.length;
      Long bytes = all ? text.bytes : null;
      scores.add(
          new LmScore(
              text.name, text.category, text.tokens.length, bytes, t.tokens, t.nats, t.bins()));
    }
    return scores;
  }
}
