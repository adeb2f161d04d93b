package org.bmojo.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.bmojo.error.BadInput;
import org.bmojo.generate.Decoding;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.StorageConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.TinyModels;
import org.bmojo.store.ExactStore;
import org.bmojo.store.Filter;
import org.bmojo.store.Hit;
import org.bmojo.store.MemoryStore;
import org.bmojo.store.StoreLimits;
import org.bmojo.store.TextSpan;
import org.bmojo.text.ByteTokenizer;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LibraryTest {
  private static final Duration FOR_EVER = Duration.ofMinutes(5);
  private static final EngineSettings SETTINGS =
      new EngineSettings(3, 64, 5, 1000, Duration.ofMinutes(1));
  private static final ByteTokenizer TOKENIZER = new ByteTokenizer();
  private static final String TEXT = "Grüße: the key is under the third stone. ".repeat(3);

  private final LanguageModel model = model(1);

  @AfterEach
  void close() {
    model.close();
  }

  private static LanguageModel model(long seed) {
    ModelConfig tiny = Objects.requireNonNull(TinyModels.all().get("storage"));
    ModelConfig bytes = new ModelConfig(257, tiny.width(), 1e-5, true, tiny.layers());
    return TinyModels.model(bytes, seed, ScalarType.Float);
  }

  private Library library(MemoryStore store) {
    return new Library(model, store, FOR_EVER);
  }

  private MemoryStore exact() {
    return new ExactStore(Library.identity(model), StoreLimits.NONE);
  }

  private static Request request(String prompt, int tokens) {
    return Request.of(TOKENIZER.encode(prompt), tokens, Decoding.greedy());
  }

  private static List<Integer> answer(Engine engine, Request request) throws InterruptedException {
    List<Integer> ids = new ArrayList<>();
    try (Generation generation = engine.submit(request)) {
      for (var t = generation.next(); t != null; t = generation.next()) ids.add(t.id());
      assertThat(generation.await().failure()).isNull();
    }
    return ids;
  }

  @Test
  void aDocumentIsStoredWholeAndEachTokenKnowsItsPlace() {
    MemoryStore store = exact();
    try (Library library = library(store)) {
      long tokens = library.remember("stone.txt", TEXT, TOKENIZER);
      // Two layers with one key/value head; ü and ß are two bytes each.
      assertThat(tokens).isEqualTo(TEXT.length() + 6);
      assertThat(library.size()).isEqualTo(2 * tokens);
      float[][] any = {new float[4]};
      List<Hit> all = store.search(1, 0, any, 1_000, Filter.ALL).getFirst();
      StringBuilder text = new StringBuilder();
      all.reversed().forEach(hit -> text.append(textOf(hit)));
      assertThat(text.toString()).isEqualTo(TEXT);
    }
  }

  private static String textOf(Hit hit) {
    TextSpan span = Objects.requireNonNull(hit.entry().source().span());
    assertThat(span.document()).isEqualTo("stone.txt");
    return TEXT.substring((int) span.begin(), (int) span.end());
  }

  @Test
  void rememberingAgainReplacesAndForgettingDeletes(@TempDir Path folder) {
    try (Library library = Library.open(folder, model, StoreLimits.NONE)) {
      library.remember("a", TEXT, TOKENIZER);
      library.remember("b", TEXT, TOKENIZER);
      long one = library.size() / 2;
      library.remember("a", TEXT, TOKENIZER);
      assertThat(library.size()).isEqualTo(2 * one);
      assertThat(library.forget("a")).isEqualTo(one);
      assertThat(library.forget("a")).isZero();
      assertThat(library.expire(Instant.now().plusSeconds(1))).isEqualTo(one);
    }
    try (Library again = Library.open(folder, model, StoreLimits.NONE)) {
      assertThat(again.size()).isZero();
    }
  }

  @Test
  void refusesTheMemoryOfAnotherModelAndModelsWithoutStorage(@TempDir Path folder) {
    Library.open(folder, model, StoreLimits.NONE).close();
    try (LanguageModel other = model(2)) {
      assertThatThrownBy(() -> Library.open(folder, other, StoreLimits.NONE))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("memory of model");
      assertThatThrownBy(() -> library(exact()).recollection("*documents"))
          .isInstanceOf(BadInput.class);
    }
    ModelConfig plain = Objects.requireNonNull(TinyModels.all().get("bmojo"));
    try (LanguageModel without = TinyModels.model(plain, 1, ScalarType.Float)) {
      assertThatThrownBy(() -> Library.identity(without))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("none of whose layers has storage");
    }
  }

  @Test
  void keepsTheNumberOfEntriesWithinLimits() {
    MemoryStore store = new ExactStore(Library.identity(model), new StoreLimits(63));
    try (Library library = library(store)) {
      library.remember("a", TEXT, TOKENIZER);
      assertThat(library.size()).isEqualTo(63);
    }
  }

  @Test
  void withAnEmptyLibraryASequenceAnswersAsFromItsOwnPast() throws Exception {
    try (Library library = library(exact());
        Engine engine = new Engine(model, SETTINGS)) {
      Request request = request(TEXT, 40);
      List<Integer> alone = answer(engine, request);
      assertThat(answer(engine, request.recalling(library.recollection(null)))).isEqualTo(alone);
      assertThat(library.size()).isZero();
      // Written behind its back, and found again, be it on the way or there.
      assertThat(answer(engine, request.recalling(library.recollection("s")))).isEqualTo(alone);
      library.flush();
      assertThat(library.size()).isPositive();
      assertThat(library.report().dropped()).isZero();
    }
  }

  @Test
  void aDocumentIsRecalledAndSaysWhereItStood() throws Exception {
    try (Library library = library(exact());
        Engine engine = new Engine(model, SETTINGS)) {
      Request request = request("Where is the key?", 9);
      library.remember("stone.txt", TEXT, TOKENIZER);
      Recollection recollection = library.recollection(null);
      answer(engine, request.recalling(recollection));
      assertThat(recollection.used()).isNotEmpty();
      Recollection.Used first = recollection.used().getFirst();
      TextSpan span = Objects.requireNonNull(first.span());
      assertThat(span.document()).isEqualTo("stone.txt");
      assertThat(span.end()).isLessThanOrEqualTo(TEXT.length());
      assertThat(first.times()).isPositive();

      library.forget("stone.txt");
      Recollection after = library.recollection(null);
      answer(engine, request.recalling(after));
      assertThat(after.used()).noneMatch(used -> used.span() != null);
    }
  }

  @Test
  void aSessionSeesItsOwnPastAndNoOthers() throws Exception {
    try (Library library = library(exact());
        Engine engine = new Engine(model, SETTINGS)) {
      answer(engine, request(TEXT, 5).recalling(library.recollection("one")));
      library.flush();
      Request hello = request("Hello", 2); // too short to let go of anything itself
      Recollection other = library.recollection("two"), same = library.recollection("one");
      answer(engine, hello.recalling(other));
      assertThat(other.used()).isEmpty();
      assertThat(library.forgetSession("one")).isPositive();
      assertThat(library.size()).isZero();
      assertThat(same.used()).isEmpty();
    }
  }

  @Test
  void goesOnFromAMemoryThatWasMadeWithALibrary() throws Exception {
    try (Library library = library(exact());
        Engine engine = new Engine(model, SETTINGS)) {
      Request read = Request.remember(TOKENIZER.encode(TEXT));
      try (Generation generation = engine.submit(read.recalling(library.recollection("one")))) {
        Memory memory = Objects.requireNonNull(generation.await().memory());
        Recollection again = library.recollection("one");
        Request more = request("And then?", 9).after(memory);
        answer(engine, more.recalling(again));
        assertThat(again.used()).isNotEmpty();
        answer(engine, more); // Without a library it has forgotten, but goes on.
      }
    }
  }

  @Test
  void layersWithKeysOfOneSizeOnly() {
    ModelConfig tiny = Objects.requireNonNull(TinyModels.all().get("storage"));
    BlockConfig first = tiny.layers().getFirst();
    var attention = Objects.requireNonNull(first.mixer().attention());
    var wider =
        new org.bmojo.mixer.AttentionConfig(
            2,
            1,
            6,
            4,
            3,
            4,
            true,
            true,
            10_000,
            Objects.requireNonNull(attention.eidetic()).with(StorageConfig.of(1, 1)));
    BlockConfig second = new BlockConfig(new MixerConfig(first.mixer().ssm(), wider), 12);
    ModelConfig mixed = new ModelConfig(13, 8, 1e-5, true, List.of(first, second));
    try (LanguageModel two = LanguageModel.create(mixed, 1)) {
      assertThatThrownBy(() -> Library.identity(two)).hasMessageContaining("different sizes");
    }
  }
}
