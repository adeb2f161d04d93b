package org.bmojo.mixer;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.bmojo.error.BadInput;
import org.bmojo.store.Hit;
import org.jspecify.annotations.Nullable;

/** The {@link Storage} of each row of a batch, and what each is being asked; or none at all. */
final class Stores {
  /** One sequence's. Copies of a state share it, so that an answer finds whoever goes on. */
  static final class Row {
    final Storage storage;
    @Nullable CompletableFuture<List<List<Hit>>> pending;
    boolean patient; // whether a step may yet wait for the answer

    Row(Storage storage) {
      this.storage = storage;
    }
  }

  private List<Row> rows = List.of();

  boolean isEmpty() {
    return rows.isEmpty();
  }

  List<Row> rows() {
    return rows;
  }

  void set(List<Storage> storages) {
    rows = storages.stream().map(Row::new).toList();
  }

  void retain(int... kept) {
    if (!rows.isEmpty()) rows = IntStream.of(kept).mapToObj(rows::get).toList();
  }

  void copy(Stores other, int... kept) {
    rows = other.rows;
    retain(kept);
  }

  /**
   * @param before sequences here
   * @param after sequences there
   */
  void append(Stores more, int before, int after) {
    boolean mixed = before > 0 && after > 0 && isEmpty() != more.isEmpty();
    if (mixed) {
      throw new BadInput(
          "sequences with a store and sequences without one",
          "expected one or the other in a batch",
          "Attach a store to all of them, or to none");
    }
    List<Row> all = new ArrayList<>(rows);
    all.addAll(more.rows);
    rows = List.copyOf(all);
  }
}
