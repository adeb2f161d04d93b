package org.bmojo.eval;

import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongConsumer;
import org.bmojo.eval.SideBySide.Piece;
import org.bmojo.eval.SideBySide.Sequence;
import org.bmojo.kernels.torch.Later;
import org.bmojo.model.Batch;
import org.bmojo.model.ModelState;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * How likely continuations are, and whether the model would have chosen them. Contexts may be of
 * any length: only the logits of continuations are computed.
 */
public final class Continuations {
  private final SideBySide reader;
  private final int end;

  /**
   * Scores with {@code reader}.
   *
   * @param end the id that ends documents; an empty context is this
   */
  public Continuations(SideBySide reader, int end) {
    this.reader = reader;
    this.end = end;
  }

  /**
   * Something to score.
   *
   * @param context what was read before, perhaps nothing
   * @param continuation at least one token
   */
  @SuppressWarnings("ArrayRecordComponent") // handed on, never compared
  public record Request(int[] context, int[] continuation) {}

  /**
   * What a model thinks of a continuation.
   *
   * @param logLikelihood sum over its tokens, nats
   * @param right how many of its tokens are the likeliest where they stand
   * @param tokens in it
   */
  public record Likelihood(double logLikelihood, int right, int tokens) {
    /**
     * Whether the model, choosing the likeliest token each time, would write just this: as long as
     * it does, it reads what was put before it here.
     */
    public boolean greedy() {
      return right == tokens;
    }
  }

  /**
   * Scores each request by itself.
   *
   * @param progress is told of requests that are done
   * @return one each, in their order
   */
  public List<Likelihood> score(List<Request> requests, LongConsumer progress) {
    List<Sequence> sequences = new ArrayList<>();
    for (Request r : requests) {
      int given = r.context.length;
      int[] tokens = Arrays.copyOf(r.context, given + r.continuation.length);
      System.arraycopy(r.continuation, 0, tokens, given, r.continuation.length);
      // The first token of a context is read, but not predicted.
      sequences.add(new Sequence(tokens, end, Math.min(1, given), tokens.length, given));
    }
    double[] sums = new double[requests.size()];
    int[] right = new int[requests.size()];
    reader.read(
        sequences,
        new SideBySide.Question() {
          @Override
          public Later ask(Batch batch, Piece piece, @Nullable ModelState state) {
            return Continuations.this.ask(batch, piece, state);
          }

          @Override
          public void told(Piece piece, double[] values) {
            int asked = (values.length - 1) / 2, at = 1;
            for (int r = 0; r < piece.rows(); r++) {
              int number = piece.numbers().get(r);
              for (int i = piece.first(r); i < piece.last(r); i++, at++) {
                sums[number] += values[at];
                right[number] += (int) values[at + asked];
              }
              int left = sequences.get(number).length() - piece.at();
              if (left > 0 && left <= piece.length()) progress.accept(1);
            }
          }
        });
    List<Likelihood> results = new ArrayList<>();
    for (int i = 0; i < sums.length; i++) {
      results.add(new Likelihood(sums[i], right[i], requests.get(i).continuation.length));
    }
    return results;
  }

  /** A zero, the log-likelihoods of the K tokens that are asked for, and whether each is chosen. */
  private Later ask(Batch batch, Piece piece, @Nullable ModelState state) {
    long[] rows = new long[Math.toIntExact(batch.labelled())];
    int k = 0;
    for (int r = 0; r < piece.rows(); r++) {
      for (int i = piece.first(r); i < piece.last(r); i++) {
        rows[k++] = (long) r * piece.length() + i;
      }
    }
    Tensor where = tensor(rows);
    Tensor logits = reader.model().logitsAt(batch.ids(), where, state); // (K, V)
    Tensor start = zeros(logits, ScalarType.Double, 1);
    if (k == 0) return new Later(start);
    Tensor wanted =
        batch.targets().reshape(-1).index_select(0, where).to(logits.device(), ScalarType.Long);
    Tensor likelihoods =
        logits.log_softmax(1).gather(1, wanted.unsqueeze(1)).squeeze(1).to(ScalarType.Double);
    Tensor chosen = logits.argmax(new LongOptional(1), false).eq(wanted).to(ScalarType.Double);
    return new Later(cat(0, start, likelihoods, chosen));
  }

  private static Tensor tensor(long[] values) {
    // The array's copy in native memory is freed with the pointer, so the tensor needs its own.
    try (LongPointer pointer = new LongPointer(values)) {
      long[] shape = {values.length};
      return torch.from_blob(pointer, shape, new TensorOptions(ScalarType.Long)).clone();
    }
  }
}
