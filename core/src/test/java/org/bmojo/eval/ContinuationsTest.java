package org.bmojo.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.bmojo.eval.Continuations.Likelihood;
import org.bmojo.eval.Continuations.Request;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.Models;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class ContinuationsTest {
  private static final int END = 62;
  private static final int[] CONTEXTS = {0, 1, 13, 207, 63, 500, 2, 64};

  private final LanguageModel model = LanguageModel.create(Models.mixed(63), 1, ScalarType.Double);
  private final Continuations continuations =
      new Continuations(new SideBySide(model, 3, Long.MAX_VALUE, 100), END);

  /**
   * Whether batched in pieces or alone in one, the same; and greedy where it is the model's own.
   */
  @Test
  void eachIsScoredByItself() {
    List<Request> requests = new ArrayList<>();
    List<Likelihood> expected = new ArrayList<>();
    for (int i = 0; i < CONTEXTS.length; i++) {
      int[] context = ids(CONTEXTS[i], i);
      int[] continuation = i % 2 == 0 ? ids(1 + i % 3, 100 + i) : greedy(context, 1 + i % 4);
      requests.add(new Request(context, continuation));
      expected.add(alone(context, continuation));
    }
    long[] done = {0};
    List<Likelihood> found = continuations.score(requests, n -> done[0] += n);
    assertThat(done[0]).isEqualTo(requests.size());
    for (int i = 0; i < CONTEXTS.length; i++) {
      Likelihood e = expected.get(i), f = found.get(i);
      assertThat(f.logLikelihood()).isEqualTo(e.logLikelihood(), within(1e-9));
      assertThat(f.right()).isEqualTo(e.right());
      assertThat(f.tokens()).isEqualTo(requests.get(i).continuation().length);
      if (i % 2 == 1) assertThat(f.greedy()).isTrue();
    }
    assertThat(found).anyMatch(f -> !f.greedy());
  }

  private Likelihood alone(int[] context, int[] continuation) {
    double sum = 0;
    int right = 0;
    int[] read = context;
    for (int token : continuation) {
      try (Scope _ = new Scope()) {
        Tensor next = next(read);
        sum += next.log_softmax(0).select(0, token).item_double();
        if (next.argmax(new LongOptional(), false).item_long() == token) right++;
      }
      read = plus(read, token);
    }
    return new Likelihood(sum, right, continuation.length);
  }

  private int[] greedy(int[] context, int count) {
    int[] read = context, chosen = new int[0];
    for (int i = 0; i < count; i++) {
      try (Scope _ = new Scope()) {
        int best = (int) next(read).argmax(new LongOptional(), false).item_long();
        chosen = plus(chosen, best);
        read = plus(read, best);
      }
    }
    return chosen;
  }

  private Tensor next(int[] read) {
    int[] given = read.length == 0 ? new int[] {END} : read;
    return model.lastLogits(Ids.tensor(given), null).select(0, 0);
  }

  private static int[] plus(int[] ids, int more) {
    int[] longer = Arrays.copyOf(ids, ids.length + 1);
    longer[ids.length] = more;
    return longer;
  }

  private static int[] ids(int length, long seed) {
    return new SplittableRandom(seed).ints(length, 0, 62).toArray();
  }
}
