package org.bmojo.serve;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.bmojo.error.BadInput;
import org.bmojo.model.LanguageModel;
import org.bmojo.serve.Generation.Reason;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves many sequences at once with one model: a thread of its own reads prompts in chunks and,
 * between two chunks, takes a step of all sequences that are answering. A sequence gets a slot when
 * one is free and leaves it within the step in which it ends or is cancelled. States are of
 * constant size, so how many fit is known before the first request: {@link
 * EngineSettings#stateBytes}.
 *
 * <p>Every request chooses by a seed of its own, so what stands beside it in the batch does not
 * matter, but for the last digits of a matrix product, which depend on how many rows it has.
 */
public final class Engine implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Engine.class);

  private final LanguageModel model;
  private final EngineSettings settings;
  private final Thread thread;
  private final Desk desk;

  // The engine thread's own.
  private final Deque<Sequence> reading = new ArrayDeque<>();
  private final AnsweringBatch answering;

  // Written by the engine's thread, read by all.
  private final AtomicLong promptTokens = new AtomicLong();
  private final AtomicLong tokens = new AtomicLong();
  private final AtomicLong steps = new AtomicLong();
  private final AtomicLong busyNanos = new AtomicLong();
  private final Map<Reason, AtomicLong> ended = new EnumMap<>(Reason.class);
  private volatile int readingNow;
  private volatile int answeringNow;
  private volatile long stateBytes;

  /** Starts serving {@code model}, which stays the caller's to close, after this. */
  public Engine(LanguageModel model, EngineSettings settings) {
    this.model = model;
    this.settings = settings;
    desk = new Desk(settings.slots() + settings.queue());
    answering = new AnsweringBatch(model);
    for (Reason reason : Reason.values()) ended.put(reason, new AtomicLong());
    thread = Thread.ofPlatform().name("engine").start(this::run);
  }

  /** The limits. */
  public EngineSettings settings() {
    return settings;
  }

  /** The model. */
  public LanguageModel model() {
    return model;
  }

  /**
   * Queues a request.
   *
   * @return to be closed by the caller
   * @throws BadInput if an id is not in the vocabulary, or it would become too long
   * @throws Overloaded if as many wait as may
   */
  public Generation submit(Request request) {
    refuseForeignIds(request.prompt());
    long length = (long) request.length() + request.tokens();
    if (request.from() != null) length += request.from().state().position(0);
    if (length > settings.longest()) {
      throw new BadInput(
          "a prompt and an answer of together %d tokens".formatted(length),
          "expected at most " + settings.longest(),
          "Shorten the prompt, ask for a shorter answer, or raise the limit");
    }
    Generation generation = new Generation(desk::wake);
    Sequence sequence = new Sequence(request, generation);
    if (!desk.admit(sequence)) {
      sequence.end(Reason.CANCELLED, null, null);
      double perRequest = busyNanos.get() / 1e9 / Math.max(1, endedInAll());
      int seconds = (int) Math.ceil(perRequest * settings.queue() / settings.slots());
      String found =
          desk.isClosed()
              ? "no more requests are taken, since the engine is closing"
              : settings.queue() + " requests wait already, as many as may";
      throw new Overloaded(found + ". Ask again later.", Math.clamp(seconds, 1, 60));
    }
    return generation;
  }

  /**
   * Looks into the model on the engine's own thread, between two steps: a GPU that is recording a
   * step bears nobody else's work.
   *
   * @throws Overloaded if the engine is closing
   */
  public <T> T ask(Supplier<T> question) throws InterruptedException {
    FutureTask<T> task = new FutureTask<>(question::get);
    if (desk.ask(task)) {
      try {
        return task.get();
      } catch (ExecutionException e) {
        if (e.getCause() instanceof RuntimeException own) throw own;
        throw new IllegalStateException("a question failed", e);
      } catch (CancellationException e) {
        // Said below.
      }
    }
    throw new Overloaded("No more questions are taken, since the engine is closing.", 1);
  }

  private void refuseForeignIds(int[] ids) {
    int vocabulary = model.config().vocabulary();
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] >= 0 && ids[i] < vocabulary) continue;
      throw new BadInput(
          "id " + ids[i] + " at position " + i + " of the prompt",
          "expected 0 to " + (vocabulary - 1),
          "Use the tokenizer that the model was trained with");
    }
  }

  /** Whether it serves; false once it was closed, or has failed. */
  public boolean isRunning() {
    return thread.isAlive() && !desk.isClosed();
  }

  /** What goes on now. */
  public EngineStatus status() {
    Map<Reason, Long> byReason = new EnumMap<>(Reason.class);
    ended.forEach((reason, count) -> byReason.put(reason, count.get()));
    return new EngineStatus(
        desk.waiting(),
        readingNow,
        answeringNow,
        stateBytes,
        promptTokens.get(),
        tokens.get(),
        steps.get(),
        busyNanos.get(),
        byReason,
        desk.refused());
  }

  private long endedInAll() {
    return ended.values().stream().mapToLong(AtomicLong::get).sum();
  }

  /**
   * Takes no more requests, and waits for those it has.
   *
   * @return whether all have ended
   */
  public boolean drain(Duration patience) throws InterruptedException {
    desk.closeDoor();
    return thread.join(patience);
  }

  /** Cancels what is left, and waits for the engine's thread. */
  @Override
  public void close() {
    desk.closeDoor();
    desk.cancelAll();
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true; // Native memory is in use until the thread has gone.
      }
    }
    if (interrupted) Thread.currentThread().interrupt();
  }

  // ---- The engine's thread ---------------------------------------------------------------------

  private void run() {
    try {
      while (true) {
        boolean idle = reading.isEmpty() && answering.isEmpty();
        if (!desk.await(idle)) break;
        answerQuestions();
        endOverdue();
        admit();
        long begin = System.nanoTime();
        readChunk();
        step();
        busyNanos.addAndGet(System.nanoTime() - begin);
        readingNow = reading.size();
        answeringNow = answering.size();
        stateBytes = answering.bytes();
      }
    } catch (RuntimeException | Error e) {
      LOG.error("the engine stops", e);
      desk.closeDoor();
      RuntimeException cause = e instanceof RuntimeException r ? r : new IllegalStateException(e);
      for (Sequence s : desk.all()) end(s, Reason.FAILED, cause);
      for (Sequence s : reading) end(s, Reason.FAILED, cause);
      for (Sequence s : answering.sequences()) end(s, Reason.FAILED, cause);
      throw e;
    } finally {
      for (var q = desk.question(); q != null; q = desk.question()) q.cancel(false);
      answering.close();
    }
  }

  private void answerQuestions() {
    for (var q = desk.question(); q != null; q = desk.question()) q.run();
  }

  private void endOverdue() {
    long most = settings.time().toNanos();
    boolean closing = desk.isCancelled();
    for (Sequence s : desk.overdue(most)) end(s, reason(s, most, closing), null);
    List<Sequence> late = new ArrayList<>();
    for (Sequence s : reading) if (reason(s, most, closing) != null) late.add(s);
    reading.removeAll(late);
    for (Sequence s : late) end(s, reason(s, most, closing), null);
    for (Sequence s : answering.leaveIf(s -> reason(s, most, closing) != null)) {
      end(s, reason(s, most, closing), null);
    }
  }

  private static @Nullable Reason reason(Sequence s, long most, boolean closing) {
    return closing ? Reason.CANCELLED : s.overdue(most);
  }

  private void end(Sequence s, @Nullable Reason reason, @Nullable RuntimeException failure) {
    Reason why = reason == null ? Reason.CANCELLED : reason;
    s.end(why, null, failure);
    count(why);
  }

  private void count(Reason why) {
    AtomicLong counter = ended.get(why);
    if (counter != null) counter.incrementAndGet();
    desk.left();
  }

  private void admit() {
    while (reading.size() + answering.size() < settings.slots()) {
      Sequence next = desk.next();
      if (next == null) return;
      try {
        next.admit(model.newState(1));
        reading.add(next);
      } catch (RuntimeException e) {
        end(next, Reason.FAILED, e);
      }
    }
  }

  /** One chunk of one prompt; those that read take turns. */
  private void readChunk() {
    Sequence s = reading.poll();
    if (s == null) return;
    try {
      int before = s.chosen();
      PromptReader.Progress progress = PromptReader.read(model, s, settings.chunk());
      promptTokens.addAndGet(progress.tokens());
      tokens.addAndGet(s.chosen() - before);
      if (!progress.done()) {
        reading.add(s);
      } else if (progress.reason() == null) {
        answering.join(s);
      } else {
        count(progress.reason());
        s.end(progress.reason(), s.takeStateIfKept(), null);
      }
    } catch (RuntimeException e) {
      LOG.warn("a request failed while its prompt was read", e);
      end(s, Reason.FAILED, e);
    }
  }

  private void step() {
    if (answering.isEmpty()) return;
    try {
      tokens.addAndGet(answering.size());
      steps.incrementAndGet();
      answering.step(this::count);
    } catch (RuntimeException e) {
      // The states may be half advanced: nobody in this batch can go on.
      LOG.error("a step failed", e);
      for (Sequence s : answering.leaveIf(_ -> true)) end(s, Reason.FAILED, e);
    }
  }
}
