package org.bmojo.bench.serve;

import java.io.IOException;
import java.net.http.HttpClient;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.bmojo.bench.serve.SoakClient.Answer;
import org.bmojo.bench.serve.SoakRequest.Manner;
import org.bmojo.chat.ChatTemplate;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.SmallPresets;
import org.bmojo.serve.Engine;
import org.bmojo.serve.EngineSettings;
import org.bmojo.serve.EngineStatus;
import org.bmojo.serve.Generation.Reason;
import org.bmojo.server.Server;
import org.bmojo.server.ServerSettings;
import org.bmojo.text.ByteTokenizer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Many clients at once against a server over real sockets: they draw requests from a pool, read
 * them, dawdle over them or leave in the midst. Every answer is compared with what the same request
 * was answered when it was the only one.
 *
 * <p>A model of float64 is served: beside others a row's products are summed in another order, and
 * in float32 the last digit decides once in a while between two tokens of equal likelihood.
 */
public final class SoakLab {
  private static final EngineSettings LIMITS =
      new EngineSettings(64, 256, 128, 100_000, Duration.ofMinutes(5));

  private final int port;
  private final Engine engine;
  private final List<SoakRequest> pool;
  private final List<String> expected = new ArrayList<>();
  private final SoakTally tally = new SoakTally();

  private SoakLab(int port, Engine engine, List<SoakRequest> pool) {
    this.port = port;
    this.engine = engine;
    this.pool = pool;
  }

  /**
   * Runs, and prints what was found.
   *
   * @param streams clients at once
   * @param requests in the pool
   * @param seed of the requests and of who does what
   * @return whether nothing failed and every slot is free again
   */
  public static boolean run(String preset, int streams, Duration length, int requests, long seed)
      throws IOException, InterruptedException {
    SplittableRandom random = new SplittableRandom(seed);
    List<SoakRequest> pool = new ArrayList<>();
    for (int i = 0; i < requests; i++) pool.add(SoakRequest.draw(random));
    Path sessions = Files.createTempDirectory("bmojo-soak");
    try (Scope _ = new Scope();
        LanguageModel model =
            LanguageModel.create(SmallPresets.named(preset, 257), 1, ScalarType.Double);
        Engine engine = new Engine(model, LIMITS);
        Server server =
            new Server(
                ServerSettings.local(0, preset, sessions),
                engine,
                new ByteTokenizer(),
                ChatTemplate.plain())) {
      return new SoakLab(server.port(), engine, pool).run(streams, length, seed);
    } finally {
      Files.delete(sessions);
    }
  }

  private boolean run(int streams, Duration length, long seed)
      throws IOException, InterruptedException {
    try (HttpClient http = HttpClient.newHttpClient();
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      SoakClient alone = new SoakClient(http, port);
      for (SoakRequest request : pool) expected.add(alone.ask(request, Manner.READS).text());
      long resident = resident();
      EngineStatus before = engine.status();
      long begin = System.nanoTime(), end = begin + length.toNanos();
      List<Future<?>> clients = new ArrayList<>();
      for (int i = 0; i < streams; i++) {
        SplittableRandom own = new SplittableRandom(seed + 1 + i);
        clients.add(threads.submit(() -> live(new SoakClient(http, port), own, end)));
      }
      for (Future<?> client : clients) await(client);
      double seconds = (System.nanoTime() - begin) / 1e9;
      boolean freed = freed();
      EngineStatus after = engine.status();
      tally.print(streams, seconds, after.tokens() - before.tokens());
      long cancelled = cancelled(after) - cancelled(before);
      System.out.printf(
          "slots: %s; the engine ended %d requests because their clients had left%n",
          freed ? "all free again" : "NOT all free", cancelled);
      System.out.printf(
          "resident memory: %,d MB at the start, %,d MB at the end%n",
          resident >> 20, resident() >> 20);
      return freed && tally.isClean();
    }
  }

  /** Bytes, after what nobody needs was let go. */
  private static long resident() {
    System.gc();
    return Pointer.physicalBytes();
  }

  private static long cancelled(EngineStatus status) {
    return status.ended().getOrDefault(Reason.CANCELLED, 0L);
  }

  private static void await(Future<?> client) throws InterruptedException {
    try {
      client.get();
    } catch (ExecutionException e) {
      throw new IllegalStateException("a client broke", e.getCause());
    }
  }

  /** One request after the other until it is time. */
  private void live(SoakClient client, SplittableRandom random, long end) {
    while (System.nanoTime() < end) {
      int which = random.nextInt(pool.size());
      Manner manner = SoakRequest.manner(random);
      try {
        Answer answer = client.ask(pool.get(which), manner);
        String whole = expected.get(which);
        boolean right =
            answer.left() ? whole.startsWith(answer.text()) : whole.equals(answer.text());
        tally.count(answer, right);
      } catch (IOException e) {
        tally.fail(e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }

  /** Those who left last are noticed when they are next written to. */
  private boolean freed() throws InterruptedException {
    for (int i = 0; i < 100; i++) {
      EngineStatus now = engine.status();
      if (now.waiting() + now.reading() + now.answering() == 0) return true;
      Thread.sleep(100);
    }
    return false;
  }
}
