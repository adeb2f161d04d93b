package org.bmojo.bench.store;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.Storage;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelState;
import org.bmojo.serve.Library;
import org.bmojo.store.Entry;
import org.bmojo.store.Hit;
import org.bmojo.store.Source;
import org.bmojo.store.TextSpan;
import org.bmojo.tape.Tape;
import org.bmojo.tasks.Mqar;
import org.bmojo.tasks.Segment;
import org.bmojo.tasks.Split;

/**
 * What a store holds beside what is asked for: keys and values that the same model made of other
 * sequences of the same task, with as many pairs. Whoever is tested among them has the {@link
 * #lower} half of the keys.
 */
final class Crowd {
  /** Whose entries they are. */
  enum Of {
    /** Documents, seen by all, that say other things of the same keys. */
    SAME,
    /** Documents, seen by all, about keys that nobody asks for. */
    OTHER,
    /** Other sessions, seen by nobody else, that say other things of the same keys. */
    SESSIONS
  }

  private static final long SEED = Split.TEST.firstSeed() + 7; // of no test

  private Crowd() {}

  /** The first {@code most} entries of a crowd, from as many sequences as that takes. */
  static List<Entry> entries(LanguageModel model, Mqar task, Of of, int most) {
    Segment examples = new Segment(task, Split.TEST, SEED, Segment.ENDLESS);
    List<Entry> all = new ArrayList<>();
    for (int n = 0; all.size() < most; n++) {
      int[] ids = Arrays.stream(examples.batch(1, n).inputs()).mapToInt(Math::toIntExact).toArray();
      lower(ids, task);
      if (of == Of.OTHER) raise(ids, task);
      String name = "crowd " + n;
      boolean document = of != Of.SESSIONS;
      try (Scope _ = new Scope();
          Tape tape = Tape.off();
          ModelState state = model.newState(1)) {
        state.attach(layer -> new Collector(layer, name, document, all));
        model.hidden(tape, Ids.tensor(ids), state);
        state.handOverRest();
      }
    }
    return Collections.unmodifiableList(all.subList(0, most));
  }

  /**
   * Renames a sequence's keys to the first ones, in their order: as good a draw of the task as the
   * sequence itself.
   */
  static void lower(int[] ids, Mqar task) {
    int half = task.vocabulary() / 2;
    int[] keys = Arrays.stream(ids).filter(id -> id > 0 && id < half).distinct().sorted().toArray();
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] > 0 && ids[i] < half) ids[i] = 1 + Arrays.binarySearch(keys, ids[i]);
    }
  }

  /** Renames lowered keys to those that nobody asks for. */
  private static void raise(int[] ids, Mqar task) {
    int half = task.vocabulary() / 2, pairs = task.config().pairs();
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] > 0 && ids[i] < half) ids[i] += pairs;
    }
  }

  /** Keeps all, and brings nothing back. */
  private record Collector(int layer, String session, boolean document, List<Entry> kept)
      implements Storage {
    @Override
    public void keep(long position, float score, float[][] keys, float[][] values) {
      Source source =
          document
              ? new Source(Library.DOCUMENTS, 0, new TextSpan(session, position, position + 1))
              : new Source(session, 0, null);
      for (int g = 0; g < keys.length; g++) {
        kept.add(new Entry(layer, g, keys[g], values[g], position, score, source));
      }
    }

    @Override
    public CompletableFuture<List<List<Hit>>> ask(float[][][] queries, int best, long before) {
      return CompletableFuture.completedFuture(Collections.nCopies(queries.length, List.of()));
    }

    @Override
    public Duration patience() {
      return Duration.ZERO;
    }
  }
}
