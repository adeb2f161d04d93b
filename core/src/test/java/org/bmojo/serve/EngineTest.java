package org.bmojo.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.bmojo.error.BadInput;
import org.bmojo.generate.Decoding;
import org.bmojo.generate.Generator;
import org.bmojo.generate.Sampler;
import org.bmojo.kernels.torch.Floats;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.Models;
import org.bmojo.model.TinyModels;
import org.bmojo.serve.Generation.Ending;
import org.bmojo.serve.Generation.Reason;
import org.bmojo.serve.Generation.Token;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class EngineTest {
  private static final EngineSettings SMALL =
      new EngineSettings(3, 64, 5, 1000, Duration.ofMinutes(1));

  static Stream<String> names() {
    return TinyModels.all().keySet().stream();
  }

  /** Requests of many lengths come and go; each answers as if it were alone. */
  @ParameterizedTest
  @MethodSource("names")
  void inABatchEachAnswersAsAlone(String name) throws Exception {
    try (LanguageModel model =
            TinyModels.model(
                Objects.requireNonNull(TinyModels.all().get(name)), 1, ScalarType.Float);
        Engine engine = new Engine(model, SMALL)) {
      List<Request> requests = new ArrayList<>();
      for (int i = 0; i < 13; i++) requests.add(request(i, TinyModels.VOCABULARY));
      List<List<Integer>> alone = new ArrayList<>();
      for (Request request : requests) alone.add(answer(engine, request));
      List<Generation> all = new ArrayList<>();
      for (Request request : requests) all.add(engine.submit(request));
      for (int i = 0; i < all.size(); i++) {
        assertThat(tokens(all.get(i))).as("request %d", i).isEqualTo(alone.get(i));
        all.get(i).close();
      }
      assertThat(engine.status().ended().get(Reason.LENGTH)).isEqualTo(26);
    }
  }

  @Test
  void manyThreadsGetEachItsOwnAnswer() throws Exception {
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1);
        Engine engine = new Engine(model, SMALL.withSlots(9));
        var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<List<Integer>>> answers = new ArrayList<>();
      for (int i = 0; i < 64; i++) {
        Request request = request(i % 16, 63);
        answers.add(threads.submit(() -> answer(engine, request)));
      }
      for (int i = 16; i < 64; i++) {
        assertThat(answers.get(i).get()).as("%d", i).isEqualTo(answers.get(i % 16).get());
      }
    }
  }

  private static Request request(int i, int vocabulary) {
    int[] prompt = new SplittableRandom(i).ints(1 + i * 7 % 23, 0, vocabulary).toArray();
    Decoding decoding =
        Decoding.random(0.9, i % 3 * 5, i % 2 == 0 ? 1 : 0.9, i)
            .withPenalties(1 + i % 2 * 0.1, 0, 0);
    return Request.of(prompt, 2 + i * 5 % 11, i % 4 == 0 ? Decoding.greedy() : decoding);
  }

  @Test
  void greedyIsWhatTheGeneratorSays() throws Exception {
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1, ScalarType.Double);
        Engine engine = new Engine(model, SMALL)) {
      int[] prompt = new SplittableRandom(1).ints(29, 0, 63).toArray();
      int[] all = new Generator(model).generate(new int[][] {prompt}, 9, Sampler.greedy())[0];
      List<Integer> answer = answer(engine, Request.of(prompt, 9, Decoding.greedy()));
      assertThat(answer).isEqualTo(Arrays.stream(all).skip(29).boxed().toList());
    }
  }

  @Test
  void endIdsEndAnswersAndAreNoPartOfThem() throws Exception {
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1);
        Engine engine = new Engine(model, SMALL)) {
      List<Integer> free =
          answer(engine, Request.of(new int[] {7}, 9, Decoding.random(2, 0, 1, 3)));
      int end = free.get(4);
      List<Integer> cut =
          answer(engine, Request.of(new int[] {7}, 9, Decoding.random(2, 0, 1, 3), end));
      assertThat(cut).isEqualTo(free.subList(0, free.indexOf(end)));
    }
  }

  @Test
  void logProbabilitiesAreTheModels() throws Exception {
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1, ScalarType.Double);
        Engine engine = new Engine(model, SMALL);
        Generation generation =
            engine.submit(
                Request.of(new int[] {1, 2, 3}, 3, Decoding.random(5, 0, 1, 1))
                    .withAlternatives(4))) {
      int[] sequence = {1, 2, 3};
      for (Token t = generation.next(); t != null; t = generation.next()) {
        float[] scores = logProbabilities(model, sequence);
        assertThat(t.logProbability()).isEqualTo(scores[t.id()], within(1e-5));
        assertThat(t.alternatives()).hasSize(4);
        for (var alternative : t.alternatives()) {
          assertThat(alternative.logProbability())
              .isEqualTo(scores[alternative.id()], within(1e-5));
        }
        float[] sorted = scores.clone();
        Arrays.sort(sorted);
        assertThat(t.alternatives().getLast().logProbability())
            .isEqualTo(sorted[sorted.length - 4], within(1e-5));
        sequence = Arrays.copyOf(sequence, sequence.length + 1);
        sequence[sequence.length - 1] = t.id();
      }
    }
  }

  private static float[] logProbabilities(LanguageModel model, int[] ids) {
    try (Scope _ = new Scope()) {
      Tensor scores = model.lastLogits(Ids.tensor(ids), null).log_softmax(1);
      float[] row = new float[(int) scores.numel()];
      Floats.of(scores.to(ScalarType.Float)).read(0, row, 0, row.length);
      return row;
    }
  }

  @Test
  void cancellingFreesTheSlotWithinAStep() throws Exception {
    CountDownLatch third = new CountDownLatch(1), cancelled = new CountDownLatch(1);
    int[] seen = {0};
    Request endless =
        Request.of(new int[] {1}, 900, Decoding.greedy())
            .until(_ -> {
              if (++seen[0] == 3) {
                third.countDown();
                await(cancelled);
              }
              return false;
            });
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1);
        Engine engine = new Engine(model, SMALL.withSlots(1));
        Generation unwanted = engine.submit(endless);
        Generation next = engine.submit(Request.of(new int[] {2}, 3, Decoding.greedy()))) {
      third.await();
      unwanted.cancel();
      cancelled.countDown();
      assertThat(unwanted.await().reason()).isEqualTo(Reason.CANCELLED);
      assertThat(unwanted.await().times().tokens()).isEqualTo(3);
      assertThat(next.await().reason()).isEqualTo(Reason.LENGTH);
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void whoFindsTheQueueFullIsRefusedAndTheOthersAreServed() throws Exception {
    CountDownLatch go = new CountDownLatch(1);
    Request waiting =
        Request.of(new int[] {1}, 2, Decoding.greedy())
            .until(_ -> {
              await(go);
              return false;
            });
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1);
        Engine engine = new Engine(model, SMALL.withSlots(2).withQueue(1))) {
      List<Generation> all = new ArrayList<>();
      for (int i = 0; i < 3; i++) all.add(engine.submit(waiting));
      assertThatThrownBy(() -> engine.submit(waiting))
          .isInstanceOfSatisfying(
              Overloaded.class, e -> assertThat(e.retryAfterSeconds()).isBetween(1, 60));
      assertThat(engine.status().refused()).isEqualTo(1);
      go.countDown();
      for (Generation generation : all) {
        assertThat(generation.await().reason()).isEqualTo(Reason.LENGTH);
      }
      assertThat(answer(engine, waiting)).hasSize(2); // there is room again
    }
  }

  @Test
  void oneSequencesTroubleIsNotTheOthers() throws Exception {
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1)) {
      Tensor embedding =
          Objects.requireNonNull(model.parameters().get("embed_tokens.weight")).value();
      embedding.select(0, 5).fill_(new Scalar(Double.NaN));
      try (Engine engine = new Engine(model, SMALL)) {
        Request well = Request.of(new int[] {1, 2}, 9, Decoding.greedy(), 5);
        List<Integer> alone = answer(engine, well);
        try (Generation good = engine.submit(well);
            Generation bad = engine.submit(Request.of(new int[] {5}, 9, Decoding.greedy()))) {
          Ending end = bad.await();
          assertThat(end.reason()).isEqualTo(Reason.FAILED);
          assertThat(end.failure()).hasMessageContaining("not numbers");
          assertThat(tokens(good)).isEqualTo(alone);
        }
      }
    }
  }

  @Test
  void timeIsLimitedAndSoIsLength() throws Exception {
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1);
        Engine engine =
            new Engine(model, SMALL.withLongest(100_000_000).withTime(Duration.ofMillis(50)));
        Generation endless =
            engine.submit(Request.of(new int[] {1}, 90_000_000, Decoding.greedy()))) {
      assertThat(endless.await().reason()).isEqualTo(Reason.TIME);
    }
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1);
        Engine engine = new Engine(model, SMALL)) {
      refused(() -> engine.submit(Request.of(new int[] {1}, 1000, Decoding.greedy())), "1001 tok");
      refused(() -> engine.submit(Request.of(new int[] {63}, 1, Decoding.greedy())), "id 63");
      refused(() -> engine.submit(Request.of(new int[] {-1}, 1, Decoding.greedy())), "id -1");
      refused(() -> Request.of(new int[0], 1, Decoding.greedy()), "empty prompt");
    }
  }

  @Test
  void drainingServesWhoIsThereAndClosingCancels() throws Exception {
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1)) {
      Request request = Request.of(new int[] {1}, 20, Decoding.greedy());
      try (Engine engine = new Engine(model, SMALL)) {
        Generation last = engine.submit(request);
        assertThat(engine.drain(Duration.ofMinutes(1))).isTrue();
        assertThat(last.await().reason()).isEqualTo(Reason.LENGTH);
        assertThatThrownBy(() -> engine.submit(request)).isInstanceOf(Overloaded.class);
      }
      Generation endless;
      try (Engine engine = new Engine(model, SMALL.withLongest(100_000_000))) {
        endless = engine.submit(Request.of(new int[] {1}, 90_000_000, Decoding.greedy()));
        Objects.requireNonNull(endless.next());
      }
      assertThat(endless.await().reason()).isEqualTo(Reason.CANCELLED);
    }
  }

  /** A document read once answers as if it were read again, any number of times. */
  @ParameterizedTest
  @MethodSource("names")
  void aMemoryGoesOnLikeTheTextItIsOf(String name) throws Exception {
    try (LanguageModel model =
            TinyModels.model(
                Objects.requireNonNull(TinyModels.all().get(name)), 1, ScalarType.Double);
        Engine engine = new Engine(model, SMALL)) {
      int[] document = new SplittableRandom(1).ints(33, 0, TinyModels.VOCABULARY).toArray();
      int[] question = {3, 1, 4};
      int[] both = Arrays.copyOf(document, 36);
      System.arraycopy(question, 0, both, 33, 3);
      Decoding decoding = Decoding.random(1, 0, 1, 5);
      List<Integer> whole = answer(engine, Request.of(both, 7, decoding));
      try (Memory memory = remember(engine, Request.remember(document))) {
        assertThat(memory.length()).isEqualTo(33);
        assertThat(memory.ids()).isEqualTo(document);
        for (int i = 0; i < 2; i++) {
          assertThat(answer(engine, Request.of(question, 7, decoding).after(memory)))
              .isEqualTo(whole);
        }
        try (Memory longer = remember(engine, Request.remember(question).after(memory))) {
          Request nothing = new Request(longer, new int[0], 7, decoding, -1, none(), null, false);
          assertThat(answer(engine, nothing)).isEqualTo(whole);
          assertThat(longer.ids()).isEqualTo(both);
        }
      }
    }
  }

  private static Set<Integer> none() {
    return Set.of();
  }

  /** What an answer leaves behind is what reading it would have. */
  @Test
  void theMemoryOfAnAnswerIsThatOfItsText() throws Exception {
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1, ScalarType.Double);
        Engine engine = new Engine(model, SMALL)) {
      int[] prompt = {5, 6, 7};
      Request request = Request.of(prompt, 8, Decoding.random(1, 0, 1, 2)).keeping();
      List<Integer> first = new ArrayList<>();
      Memory memory;
      try (Generation generation = engine.submit(request)) {
        first.addAll(tokens(generation));
        memory = Objects.requireNonNull(generation.await().memory()).share();
      }
      try (memory) {
        int[] text = memory.ids();
        assertThat(text).hasSize(11).startsWith(prompt);
        Request more = Request.of(new int[] {9}, 5, Decoding.greedy());
        int[] all = Arrays.copyOf(text, 12);
        all[11] = 9;
        assertThat(answer(engine, more.after(memory)))
            .isEqualTo(answer(engine, Request.of(all, 5, Decoding.greedy())));
        assertThat(memory.length()).isEqualTo(11);
      }
      // An end id is part of what is remembered.
      int end = first.get(5);
      int at = first.indexOf(end);
      Request ending = Request.of(prompt, 8, Decoding.random(1, 0, 1, 2), end).keeping();
      try (Memory ended = remember(engine, ending)) {
        assertThat(ended.ids()).hasSize(3 + at + 1).endsWith(end);
      }
    }
  }

  private static Memory remember(Engine engine, Request request) throws InterruptedException {
    try (Generation generation = engine.submit(request)) {
      return Objects.requireNonNull(generation.await().memory()).share();
    }
  }

  private static List<Integer> answer(Engine engine, Request request) throws InterruptedException {
    try (Generation generation = engine.submit(request)) {
      return tokens(generation);
    }
  }

  private static List<Integer> tokens(Generation generation) throws InterruptedException {
    List<Integer> ids = new ArrayList<>();
    for (Token t = generation.next(); t != null; t = generation.next()) ids.add(t.id());
    assertThat(generation.await().failure()).isNull();
    return ids;
  }

  private static void refused(Runnable action, String words) {
    assertThatThrownBy(action::run).isInstanceOf(BadInput.class).hasMessageContaining(words);
  }

  @Test
  void questionsAreAnsweredOnTheEnginesThreadUntilItCloses() throws Exception {
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1)) {
      Engine engine = new Engine(model, SMALL);
      try (engine) {
        assertThat(engine.<String>ask(() -> Thread.currentThread().getName())).isEqualTo("engine");
        RuntimeException own = new IllegalStateException("own");
        assertThatThrownBy(() ->
                engine.ask(() -> {
                  throw own;
                }))
            .isSameAs(own);
        assertThat(engine.<Integer>ask(() -> 7)).isEqualTo(7);
      }
      assertThatThrownBy(() -> engine.ask(() -> 7)).isInstanceOf(Overloaded.class);
    }
  }
}
