package org.bmojo.eval;

import java.util.Arrays;
import java.util.function.LongConsumer;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelState;
import org.bmojo.tasks.Batch;
import org.bmojo.tasks.RecallScore;
import org.bmojo.tasks.Segment;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Asks a model the questions of a task. Examples longer than a piece are read piece by piece
 * through the model's state, so that a million tokens take as much native memory as ten thousand;
 * only the heap grows, by sixteen bytes a token of one example.
 */
public final class RecallScorer {
  private static final int MOST_EXAMPLES = 64;
  private static final int PIECE = 1 << 14; // tokens of a pass, all examples together

  /** What answers. */
  interface Reader {
    /** Logits (K, V) of some positions of ids (B, T): see {@link LanguageModel#logitsAt}. */
    Tensor logitsAt(Tensor ids, Tensor rows, @Nullable ModelState state);
  }

  private final LanguageModel model;
  private final Reader reader;
  private final int window;
  private final int piece;

  /**
   * Scores a model.
   *
   * @param window the unit of distance of {@link RecallScore#byWindows}
   */
  public RecallScorer(LanguageModel model, int window) {
    this(model, model::logitsAt, window, PIECE);
  }

  /** Scores what decodes from a model. */
  RecallScorer(LanguageModel model, Reader reader, int window) {
    this(model, reader, window, PIECE);
  }

  /** The same with pieces of another size, which changes memory and time only. */
  RecallScorer(LanguageModel model, Reader reader, int window, int piece) {
    this.model = model;
    this.reader = reader;
    this.window = window;
    this.piece = piece;
  }

  /**
   * All examples of a segment, each once.
   *
   * @param progress is told of tokens as they are read
   */
  public RecallScore score(Segment segment, LongConsumer progress) {
    RecallScore score = new RecallScore(window);
    int size = Math.clamp(piece / segment.task().length(), 1, MOST_EXAMPLES);
    for (long n = 0; n < segment.batches(size); n++) {
      Batch batch = segment.batch(size, n);
      score.add(batch, choices(batch, progress));
    }
    return score;
  }

  /** The likeliest id at every labelled position, (K). */
  private long[] choices(Batch batch, LongConsumer progress) {
    int length = batch.length(), size = batch.size();
    int step = Math.max(1, piece / size);
    long[] chosen = new long[batch.labels()];
    @Nullable ModelState state = length > step ? model.newState(size) : null;
    try {
      for (int from = 0; from < length; from += step) {
        int to = Math.min(length, from + step);
        choose(batch, from, to, state, chosen);
        progress.accept((long) size * (to - from));
      }
    } finally {
      if (state != null) state.close();
    }
    return chosen;
  }

  /** Reads positions {@code from … to − 1} of every example and answers what is asked there. */
  private void choose(Batch batch, int from, int to, @Nullable ModelState state, long[] chosen) {
    int length = batch.length(), width = to - from;
    long[] ids = new long[batch.size() * width];
    for (int row = 0; row < batch.size(); row++) {
      System.arraycopy(batch.inputs(), row * length + from, ids, row * width, width);
    }
    int[] labels = new int[batch.labels()];
    long[] places = new long[batch.labels()];
    int asked = 0;
    for (int k = 0; k < labels.length; k++) {
      int row = batch.positions()[k] / length, t = batch.positions()[k] % length;
      if (t < from || t >= to) continue;
      labels[asked] = k;
      places[asked++] = (long) row * width + t - from;
    }
    try (Scope scope = new Scope()) {
      Tensor tokens = tensor(ids).reshape(batch.size(), width); // (B, t)
      Tensor rows = tensor(Arrays.copyOf(places, asked)); // (K)
      Tensor logits = reader.logitsAt(tokens, rows, state); // (K, V)
      if (asked == 0) return;
      long[] best = new long[asked];
      Tensor likeliest = logits.argmax(new LongOptional(1), false).cpu().contiguous();
      new LongPointer(likeliest.data_ptr()).get(best);
      for (int i = 0; i < asked; i++) chosen[labels[i]] = best[i];
    }
  }

  private static Tensor tensor(long[] values) {
    // The array's copy in native memory is freed with the pointer, so the tensor needs its own.
    try (LongPointer pointer = new LongPointer(values)) {
      long[] shape = {values.length};
      return torch.from_blob(pointer, shape, new TensorOptions(ScalarType.Long)).clone();
    }
  }
}
