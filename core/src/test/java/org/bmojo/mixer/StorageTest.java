package org.bmojo.mixer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bmojo.kernels.contract.Close.assertWithin;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.store.Entry;
import org.bmojo.store.Hit;
import org.bmojo.store.Source;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A layer and the {@link Storage} outside of it, for one sequence. */
class StorageTest {
  private static final int WINDOW = 5, CAPACITY = 3, CHUNK = 4, TOKENS = 63;

  private static LayerCase layerCase(int capacity, @Nullable StorageConfig storage, long seed) {
    EideticConfig eidetic = EideticConfig.of(capacity, CHUNK, Selection.INNOVATION).with(storage);
    AttentionConfig attention =
        new AttentionConfig(4, 2, 6, WINDOW, 3, 4, true, true, 10_000, eidetic);
    return new LayerCase(new MixerConfig(new MambaConfig(3, 4, 2, 0), attention), 6, 1, 1, seed);
  }

  private static LayerCase stored(long seed) {
    return layerCase(CAPACITY, StorageConfig.of(5, 3), seed);
  }

  private static Tensor parallel(BMojo layer, Tensor x) {
    try (Tape tape = Tape.off()) {
      return layer.forward(tape, Var.constant(x), null).value();
    }
  }

  private static ListStorage attach(Reader reader) {
    ListStorage storage = new ListStorage();
    reader.state.attach(List.of(storage));
    return storage;
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void aStoreThatAnswersAtOnceIsTheLayersOwnPast(long seed) {
    LayerCase c = stored(seed);
    try (Scope _ = new Scope()) {
      BMojo layer = c.layer(ScalarType.Float);
      Tensor x = c.input(ScalarType.Float, TOKENS);
      Tensor wanted = parallel(layer, x);
      int[][] ways = {new int[TOKENS], {TOKENS}, LayerCase.split(seed, TOKENS, 13), {1, 0, 0, 60}};
      for (int[] lengths : ways) {
        try (Reader reader = new Reader(layer, 1)) {
          ListStorage storage = attach(reader);
          Tensor output = reader.read(x, lengths);
          assertWithin(Arrays.toString(lengths), output, wanted, 1e-4);
          assertThat(storage.using.getFirst()).hasSize(5);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void aTokenIsHandedOverOnceAndWhenItLosesItsPlace(long seed) {
    LayerCase c = stored(seed);
    try (Scope _ = new Scope()) {
      BMojo layer = c.layer(ScalarType.Float);
      Tensor x = c.input(ScalarType.Float, TOKENS);
      for (int[] lengths : new int[][] {new int[TOKENS], LayerCase.split(seed, TOKENS, 13)}) {
        try (Reader reader = new Reader(layer, 1)) {
          ListStorage storage = attach(reader);
          reader.read(x, lengths);
          long[] held = reader.sets(0).getLast();
          long eligible = (TOKENS - 1) / CHUNK * CHUNK - WINDOW;
          List<Long> all = new ArrayList<>(storage.kept);
          Arrays.stream(held).forEach(all::add);
          assertThat(all)
              .containsExactlyInAnyOrderElementsOf(
                  LongStream.rangeClosed(0, eligible).boxed().toList());
        }
      }
    }
  }

  @Test
  void anEmptyStoreChangesNoBit() {
    LayerCase with = stored(1), without = layerCase(CAPACITY, null, 1);
    try (Scope _ = new Scope();
        Reader plain = new Reader(without.layer(ScalarType.Float), 1);
        Reader reader = new Reader(with.layer(ScalarType.Float), 1)) {
      Tensor x = with.input(ScalarType.Float, TOKENS);
      ListStorage storage = attach(reader);
      storage.answersLate = true; // For ever: nothing is ever found.
      int[] lengths = new int[TOKENS];
      assertThat(reader.read(x, lengths).equal(plain.read(x, lengths))).isTrue();
      assertThat(storage.kept).isNotEmpty();
    }
  }

  @Test
  void asLongAsNothingWasLetGoStorageChangesNoBit() {
    // Chunk 2 begins at 8, when positions 0 … 3 have left the window.
    LayerCase with = layerCase(4, StorageConfig.of(5, 3), 2), without = layerCase(4, null, 2);
    try (Scope _ = new Scope()) {
      Tensor x = with.input(ScalarType.Float, 13);
      Tensor output = parallel(with.layer(ScalarType.Float), x);
      Tensor plain = parallel(without.layer(ScalarType.Float), x);
      Tensor first = x.narrow(1, 0, 12);
      assertThat(
              parallel(with.layer(ScalarType.Float), first)
                  .equal(parallel(without.layer(ScalarType.Float), first)))
          .isTrue();
      assertThat(output.equal(plain)).isFalse();
    }
  }

  @Test
  void bringingEverythingBackIsAnEideticMemoryWithoutBounds() {
    LayerCase with = layerCase(CAPACITY, StorageConfig.of(TOKENS, 1), 3);
    LayerCase large = layerCase(TOKENS, null, 3);
    try (Scope _ = new Scope()) {
      Tensor x = with.input(ScalarType.Double, TOKENS);
      Tensor wanted = parallel(large.layer(ScalarType.Double), x);
      assertWithin("all of it", parallel(with.layer(ScalarType.Double), x), wanted, 1e-10);
      Tensor little = parallel(layerCase(CAPACITY, null, 3).layer(ScalarType.Double), x);
      assertThat(little.sub(wanted).abs().max().item_double()).isGreaterThan(1e-3);
    }
  }

  @Test
  void anAnswerCountsFromTheTokenOnAtWhichItArrives() {
    LayerCase c = stored(1);
    try (Scope _ = new Scope();
        Reader late = new Reader(c.layer(ScalarType.Float), 1);
        Reader prompt = new Reader(c.layer(ScalarType.Float), 1)) {
      Tensor x = c.input(ScalarType.Float, TOKENS);
      ListStorage storage = attach(late);
      attach(prompt);
      storage.answersLate = true;
      Tensor before = x.narrow(1, 0, 41), after = x.narrow(1, 41, 1);
      late.read(before, new int[41]);
      prompt.read(before, new int[41]);
      assertThat(storage.using).isEmpty();
      storage.arrive(); // what was asked at 40, the beginning of a chunk
      assertWithin("41", late.read(after, 0), prompt.read(after, 0), 1e-5);
      assertThat(storage.using.getFirst()).isNotEmpty();
    }
  }

  @Test
  void whatIsStillInEideticMemoryIsNotSeenTwice() {
    LayerCase c = stored(1);
    try (Scope _ = new Scope();
        Reader reader = new Reader(c.layer(ScalarType.Float), 1);
        Reader plain = new Reader(c.layer(ScalarType.Float), 1)) {
      Tensor x = c.input(ScalarType.Float, 21);
      Tensor wanted = plain.read(x, new int[21]);
      ListStorage storage = attach(reader);
      // Another life of this session, which read on, let go of everything: the same tokens.
      storage.entries.addAll(storedBy(c, x));
      storage.takesNoMore = true;
      Tensor output = reader.read(x, new int[21]);
      long[] held = reader.sets(0).getLast();
      for (List<Hit> head : storage.using) {
        assertThat(head).extracting(hit -> hit.entry().position()).doesNotContain(boxed(held));
      }
      assertWithin("as if they were not there", output, wanted, 1e-4);
    }
  }

  private static Long[] boxed(long... positions) {
    return Arrays.stream(positions).boxed().toArray(Long[]::new);
  }

  /** What a session that holds nothing hands over of these tokens and more. */
  private static List<Entry> storedBy(LayerCase c, Tensor x) {
    try (Reader reader = new Reader(c.layer(ScalarType.Float), 1)) {
      ListStorage storage = attach(reader);
      reader.read(x, new int[(int) x.size(1)]);
      Tensor loud = c.input(ScalarType.Float, TOKENS); // lets go of the rest
      reader.read(loud, new int[TOKENS]);
      return storage.entries.stream().filter(e -> e.position() < x.size(1)).toList();
    }
  }

  @Test
  void entriesOfOtherSessionsAreSeenFromTheFirstTokenOn() {
    LayerCase c = stored(1);
    try (Scope _ = new Scope();
        Reader reader = new Reader(c.layer(ScalarType.Float), 1);
        Reader plain = new Reader(c.layer(ScalarType.Float), 1)) {
      Tensor x = c.input(ScalarType.Float, 2);
      ListStorage storage = attach(reader);
      Source elsewhere = new Source("another session", 0, null);
      storage.entries.addAll(
          Stream.of(0, 1)
              .map(g -> new Entry(0, g, new float[6], filled(9), 1_000, 1, elsewhere))
              .toList());
      Tensor output = reader.read(x, 0, 0), wanted = plain.read(x, 0, 0);
      assertThat(output.sub(wanted).abs().max().item_double()).isGreaterThan(1e-3);
    }
  }

  private static float[] filled(float value) {
    float[] v = new float[6];
    Arrays.fill(v, value);
    return v;
  }

  @Test
  void refusesAStoreForOthers() {
    try (Scope _ = new Scope();
        Reader reader = new Reader(stored(1).layer(ScalarType.Float), 2)) {
      assertThatThrownBy(() -> reader.state.attach(List.of(new ListStorage())))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("1 storages for 2 sequences");
      assertThatThrownBy(
              () -> EideticConfig.of(1, 1, Selection.RECENT).with(StorageConfig.of(0, 1)))
          .hasMessageContaining("0 retrieved");
    }
  }
}
