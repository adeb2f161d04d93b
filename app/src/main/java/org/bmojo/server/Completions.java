package org.bmojo.server;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.bmojo.chat.ChatTemplate;
import org.bmojo.generate.Decoding;
import org.bmojo.serve.EngineSettings;
import org.bmojo.serve.Generation.Ending;
import org.bmojo.serve.Generation.Reason;
import org.bmojo.serve.Generation.Times;
import org.bmojo.serve.Library;
import org.bmojo.serve.Memory;
import org.bmojo.serve.Recollection;
import org.bmojo.serve.Request;
import org.bmojo.serve.TextEngine;
import org.bmojo.serve.TextGeneration;
import org.bmojo.serve.TextGeneration.Piece;
import org.jspecify.annotations.Nullable;

/** {@code /v1/completions} and {@code /v1/chat/completions}: an {@link Ask} becomes an answer. */
final class Completions {
  private static final int STANDARD_CHAT_TOKENS = 1024;

  private final String model;
  private final TextEngine engine;
  private final ChatTemplate template;
  private final SessionStore sessions;
  private final @Nullable Library library;
  private final ServerMetrics metrics;
  private final Duration heartbeat;
  private final int mostUnread;

  Completions(
      ServerSettings settings,
      TextEngine engine,
      ChatTemplate template,
      SessionStore sessions,
      @Nullable Library library,
      ServerMetrics metrics) {
    this.library = library;
    this.model = settings.name();
    this.heartbeat = settings.heartbeat();
    this.mostUnread = settings.unread();
    this.engine = engine;
    this.template = template;
    this.sessions = sessions;
    this.metrics = metrics;
  }

  /** Answers {@code ask}; returns how long it took. */
  Times answer(Exchange exchange, Ask ask) throws InterruptedException {
    String wanted = ask.model();
    if (wanted != null && !wanted.equals(model)) {
      throw ApiError.notFound(
          "There is no model \"" + wanted + "\" here, only \"" + model + "\".", "model_not_found");
    }
    // A name that cannot be, is refused before any work.
    if (ask.save() != null) sessions.checkName(ask.save());
    String session = ask.session();
    @Nullable Recollection way = recollection(ask);
    try (Memory from = session == null ? null : sessions.open(session);
        TextGeneration generation = submit(ask, from, way)) {
      boolean scored = ask.alternatives() >= 0;
      Format format =
          ask.isChat()
              ? new ChatFormat(engine.tokenizer(), scored)
              : new CompletionFormat(engine.tokenizer(), scored);
      Reply reply = new Reply(format, ask, way);
      if (!ask.stream()) return reply.whole(exchange, generation);
      return reply.streamed(exchange, generation);
    }
  }

  /** What is not saved leaves nothing behind; what is saved under a name lasts under that name. */
  private @Nullable Recollection recollection(Ask ask) {
    if (library == null) return null;
    return ask.save() == null ? library.visit(ask.session()) : library.recollection(ask.save());
  }

  private TextGeneration submit(Ask ask, @Nullable Memory from, @Nullable Recollection way) {
    int[] prompt;
    List<String> stops = new ArrayList<>(ask.stops());
    if (ask.isChat()) {
      String text = template.render(ask.messages(), from != null);
      prompt = engine.tokenizer().encode(text);
      stops.addAll(template.stops());
    } else {
      int[] ids = ask.ids();
      String text = ask.prompt() == null ? "" : ask.prompt();
      prompt = ids == null ? engine.prompt(text, from) : ids;
    }
    Set<Integer> ends = ask.endless() ? Set.of() : engine.ends();
    int tokens = ask.tokens() >= 0 ? ask.tokens() : rest(prompt.length, from);
    boolean keep = ask.save() != null;
    Decoding decoding = ask.decoding();
    return engine.submit(
        new Request(from, prompt, tokens, decoding, ask.alternatives(), ends, null, keep, way),
        stops);
  }

  /** As many as a chat usually gets, or as still fit. */
  private int rest(int prompt, @Nullable Memory from) {
    EngineSettings limits = engine.engine().settings();
    long left = limits.longest() - (long) prompt - (from == null ? 0 : from.length());
    return (int) Math.clamp(left, 0, STANDARD_CHAT_TOKENS);
  }

  /** An answer being written. */
  private final class Reply {
    private final Format format;
    private final Ask ask;
    private final @Nullable Recollection way;
    private final String id;
    private final long created = System.currentTimeMillis() / 1000;

    Reply(Format format, Ask ask, @Nullable Recollection way) {
      this.format = format;
      this.ask = ask;
      this.way = way;
      id = format.idPrefix() + UUID.randomUUID().toString().replace("-", "");
    }

    Times whole(Exchange exchange, TextGeneration generation) throws InterruptedException {
      List<Piece> pieces = new ArrayList<>();
      StringBuilder text = new StringBuilder();
      for (Piece p = generation.next(); p != null; p = generation.next()) {
        text.append(p.text());
        pieces.add(p);
      }
      Ending end = ended(generation);
      Map<String, Object> body = head(false);
      body.put("choices", List.of(format.whole(text.toString(), pieces, finish(end))));
      body.put("usage", usage(end.times()));
      if (ask.save() != null) body.put("session", ask.save());
      if (way != null) body.put("recalled", Recalled.of(way));
      exchange.json(200, body);
      return end.times();
    }

    Times streamed(Exchange exchange, TextGeneration generation) throws InterruptedException {
      Duration limit = engine.engine().settings().time().plus(exchange.patience());
      try (EventStream events = new EventStream(exchange, limit)) {
        Map<String, Object> first = format.first();
        if (first != null) events.send(chunk(List.of(first)));
        Times times;
        try {
          pass(generation, events);
          Ending end = ended(generation);
          times = end.times();
          Map<String, Object> last = chunk(List.of(format.last(finish(end))));
          if (way != null) last.put("recalled", Recalled.of(way));
          events.send(last);
        } catch (RuntimeException e) {
          ApiError error = ApiError.from(e);
          if (error == null) throw e;
          generation.cancel();
          events.send(error.body()); // The status was sent long ago.
          return generation.await().times();
        }
        if (ask.usage()) {
          Map<String, Object> last = chunk(List.of());
          last.put("usage", usage(times));
          events.send(last);
        }
        events.done();
        return times;
      }
    }

    /** Passes on what comes, as it comes. */
    private void pass(TextGeneration generation, EventStream events) throws InterruptedException {
      while (true) {
        // A reader who has left is noticed by writing only.
        while (!generation.arrives(heartbeat)) events.heartbeat();
        if (generation.unread() > mostUnread) throw ApiError.tooSlow(mostUnread);
        Piece piece = generation.next();
        if (piece == null) return;
        boolean says = !piece.text().isEmpty() || ask.alternatives() >= 0;
        if (says) events.send(chunk(List.of(format.piece(piece))));
      }
    }

    /** How it ended, if well; and what is remembered, kept. */
    private Ending ended(TextGeneration generation) throws InterruptedException {
      Ending end = generation.await();
      metrics.generated(end.times());
      if (end.failure() != null) throw end.failure();
      if (end.reason() == Reason.CANCELLED) throw ApiError.closing();
      Memory memory = end.memory();
      if (ask.save() != null && memory != null) sessions.save(ask.save(), memory);
      return end;
    }

    private String finish(Ending end) {
      return end.reason() == Reason.STOP ? "stop" : "length";
    }

    private Map<String, Object> chunk(List<Map<String, Object>> choices) {
      Map<String, Object> chunk = head(true);
      chunk.put("choices", choices);
      return chunk;
    }

    private Map<String, Object> head(boolean chunk) {
      Map<String, Object> head = new LinkedHashMap<>();
      head.put("id", id);
      head.put("object", format.object(chunk));
      head.put("created", created);
      head.put("model", model);
      return head;
    }

    private Map<String, Object> usage(Times times) {
      return Map.of(
          "prompt_tokens",
          times.promptTokens(),
          "completion_tokens",
          times.tokens(),
          "total_tokens",
          times.promptTokens() + times.tokens());
    }
  }
}
