package org.bmojo.tasks;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * Answers tasks by reading the inputs as a person would, from the tasks' definitions and not from
 * the generators: it sees the tokens up to a position, never targets or distances.
 */
final class Solver {
  private Solver() {}

  /** Choices for all labels of a batch. */
  static long[] solve(Task task, Batch batch) {
    long[] chosen = new long[batch.labels()];
    for (int k = 0; k < chosen.length; k++) {
      int row = batch.positions()[k] / batch.length();
      int t = batch.positions()[k] % batch.length();
      int[] seen = new int[t + 1];
      for (int i = 0; i <= t; i++) {
        seen[i] = (int) batch.inputs()[row * batch.length() + i];
      }
      chosen[k] = answer(task, seen);
    }
    return chosen;
  }

  private static int answer(Task task, int[] seen) {
    return switch (task.config()) {
      case Mqar.Config c -> lastValue(seen, 2 * c.pairs(), List.of(seen[seen.length - 1]));
      case ForgettingMqar.Config c ->
          lastValue(seen, 2 * (c.pairs() + c.updates()), List.of(seen[seen.length - 1]));
      case CompositionalMqar.Config c ->
          lastValue(seen, 3 * c.pairs(), List.of(seen[seen.length - 2], seen[seen.length - 1]));
      case NeedleHaystack.Config c ->
          lastValue(seen, c.length() - 1, List.of(seen[seen.length - 1]));
      case InContextRecall.Config c -> inContext(seen);
      case FuzzyRecall.Config c -> fuzzy(seen, c);
      case SelectiveCopying.Config c -> copying(seen, c.vocabulary() - 2, c.vocabulary() - 1);
      case Compression.Config c -> seen[seen.length - 1];
      case Passkey.Config c -> passkey(seen, c.words() + c.keys() + c.digits());
      case VariableTracking.Config c -> variable(seen, c.words() + c.names() + c.values(), c);
      case InductionHeads.Config c -> afterFirst(seen, c.vocabulary() - 1);
      default -> throw new IllegalArgumentException(task.name());
    };
  }

  /** Reads a block of keys, each with one value after it, and looks a key up. */
  private static int lastValue(int[] seen, int block, List<Integer> key) {
    Map<List<Integer>, Integer> values = new HashMap<>();
    int stride = key.size() + 1;
    for (int i = 0; i < block; i += stride) {
      List<Integer> shown = new ArrayList<>();
      for (int part = 0; part < key.size(); part++) {
        shown.add(seen[i + part]);
      }
      values.put(shown, seen[i + key.size()]);
    }
    return values.getOrDefault(key, -1);
  }

  private static int inContext(int[] seen) {
    int key = seen[seen.length - 1];
    for (int i = 0; i + 2 < seen.length; i += 2) {
      if (seen[i] == key) {
        return seen[i + 1];
      }
    }
    return -1;
  }

  /** Splits what was seen in runs of key ids and runs of value ids. */
  private static int fuzzy(int[] seen, FuzzyRecall.Config c) {
    int pad = c.vocabulary() - 1;
    int keyIds = pad / 2;
    Map<List<Integer>, List<Integer>> pairs = new HashMap<>();
    List<Integer> key = new ArrayList<>();
    List<Integer> value = new ArrayList<>();
    for (int id : seen) {
      if (id == pad) {
        continue;
      }
      if (id < keyIds) {
        if (!value.isEmpty()) {
          pairs.put(key, value);
          key = new ArrayList<>();
          value = new ArrayList<>();
        }
        key.add(id);
      } else {
        value.add(id);
      }
    }
    return pairs.getOrDefault(key, List.of()).get(value.size());
  }

  private static int copying(int[] seen, int blank, int copy) {
    List<Integer> content = new ArrayList<>();
    int i = 0;
    for (; seen[i] != copy; i++) {
      if (seen[i] != blank) {
        content.add(seen[i]);
      }
    }
    return content.get(seen.length - i - 2);
  }

  private static int passkey(int[] seen, int marker) {
    TreeSet<Integer> markers = new TreeSet<>();
    for (int i = 0; i < seen.length; i++) {
      if (seen[i] == marker) {
        markers.add(i);
      }
    }
    int question = markers.pollLast();
    for (int needle : markers) {
      if (seen[needle + 1] == seen[question + 1]) {
        return seen[needle + seen.length - question];
      }
    }
    return -1;
  }

  private static int variable(int[] seen, int let, VariableTracking.Config c) {
    Map<Integer, Integer> assigned = new HashMap<>();
    for (int i = 0; i < seen.length; i++) {
      if (seen[i] == let) {
        assigned.put(seen[i + 1], seen[i + 2]);
      }
    }
    int name = seen[seen.length - 1];
    while (name < c.words() + c.names()) {
      name = assigned.getOrDefault(name, Integer.MAX_VALUE);
    }
    return name;
  }

  private static int afterFirst(int[] seen, int trigger) {
    int i = 0;
    while (seen[i] != trigger) {
      i++;
    }
    return seen[i + 1];
  }
}
