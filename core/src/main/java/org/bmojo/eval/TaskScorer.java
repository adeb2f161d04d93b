package org.bmojo.eval;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongConsumer;
import org.bmojo.error.BadInput;
import org.bmojo.eval.Continuations.Likelihood;
import org.bmojo.eval.Continuations.Request;
import org.bmojo.eval.LikelihoodTask.Choice;
import org.bmojo.eval.LikelihoodTask.Item;
import org.bmojo.text.Tokenizer;

/** Asks a model the items of a {@link LikelihoodTask}, as lm-evaluation-harness asks. */
public final class TaskScorer {
  private final Continuations continuations;
  private final Tokenizer tokenizer;
  private final int longest;

  /**
   * Asks through {@code continuations}.
   *
   * @param longest tokens that are read at most; of longer ones the beginning is cut
   */
  public TaskScorer(Continuations continuations, Tokenizer tokenizer, int longest) {
    this.continuations = continuations;
    this.tokenizer = tokenizer;
    this.longest = longest;
  }

  /**
   * Asks all items.
   *
   * @param progress is told of answers that are scored
   */
  public TaskScore score(LikelihoodTask task, List<Item> items, LongConsumer progress) {
    if (items.isEmpty()) {
      throw new BadInput("no items", "expected some to ask", "Name a file with rows");
    }
    List<Request> requests = new ArrayList<>();
    for (Item item : items) item.choices().forEach(c -> requests.add(request(c)));
    List<Likelihood> all = continuations.score(requests, progress);
    List<List<Likelihood>> byItem = new ArrayList<>();
    int at = 0;
    for (Item item : items) {
      byItem.add(all.subList(at, at + item.choices().size()));
      at += item.choices().size();
    }
    return TaskScore.of(task, items, byItem);
  }

  /** Both together are tokenised; the continuation is what is added to the context's own tokens. */
  Request request(Choice choice) {
    String context = choice.context().stripTrailing();
    String continuation = choice.context().substring(context.length()) + choice.continuation();
    int[] before = tokenizer.encode(context);
    int[] whole = tokenizer.encode(context + continuation);
    int split = Math.min(before.length, whole.length - 1); // Tokens may grow together at the seam.
    int cut = Math.max(0, Math.min(split, whole.length - longest - 1));
    return new Request(
        Arrays.copyOfRange(whole, cut, split), Arrays.copyOfRange(whole, split, whole.length));
  }
}
