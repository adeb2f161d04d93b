package org.bmojo.server;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.MixerState;
import org.bmojo.model.AttentionTrace;
import org.bmojo.model.Footprint;
import org.bmojo.model.ModelState;
import org.bmojo.serve.Engine;
import org.bmojo.serve.Generation.Ending;
import org.bmojo.serve.Library;
import org.bmojo.serve.Memory;
import org.bmojo.serve.Request;
import org.bmojo.serve.TextEngine;
import org.bmojo.serve.TextGeneration;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * {@code /v1/sessions}: memories made from texts, listed, looked into, forked, moved, forgotten.
 */
final class Sessions {
  /** So many of a memory's last tokens are shown. */
  private static final int SHOWN = 20_000;

  private final TextEngine engine;
  private final SessionStore store;
  private final @Nullable Library library;
  private final ServerMetrics metrics;

  Sessions(
      TextEngine engine, SessionStore store, @Nullable Library library, ServerMetrics metrics) {
    this.library = library;
    this.engine = engine;
    this.store = store;
    this.metrics = metrics;
  }

  /** {@code {"input": text, "id": name, "from": session}} → a session that has read the text. */
  void create(Exchange exchange, byte[] body) throws InterruptedException {
    Fields f = new Fields(Wire.object(body), "");
    String input = f.text("input");
    String from = f.text("from");
    String wanted = f.text("id");
    f.end();
    if (input == null || input.isEmpty()) {
      throw ApiError.field("input", "nothing", "a text to remember");
    }
    String name = store.newName(wanted);
    Request request = Request.remember(engine.tokenizer().encode(input));
    if (library != null) request = request.recalling(library.recollection(name));
    try (Memory before = from == null ? null : store.open(from);
        TextGeneration generation = engine.submit(request.after(before), List.of())) {
      Ending end = generation.await();
      metrics.generated(end.times());
      if (end.failure() != null) throw end.failure();
      if (end.memory() == null) throw ApiError.closing();
      exchange.json(200, store.save(name, end.memory()));
    }
  }

  void list(Exchange exchange) {
    List<SessionStore.Info> all = new ArrayList<>();
    for (String name : store.names()) {
      try {
        all.add(store.info(name));
      } catch (ApiError e) {
        if (e.status() != 404) throw e; // deleted meanwhile
      }
    }
    exchange.json(200, Map.of("object", "list", "data", all));
  }

  void show(Exchange exchange, String name) {
    exchange.json(200, store.info(name));
  }

  void delete(Exchange exchange, String name) {
    store.delete(name);
    if (library != null) library.forgetSession(name);
    exchange.json(200, Map.of("id", name, "object", "session", "deleted", true));
  }

  /** {@code {"id": name}}, or nothing for a name of the server's choice. */
  void fork(Exchange exchange, String name, byte[] body) {
    String wanted = null;
    if (body.length > 0) {
      Fields f = new Fields(Wire.object(body), "");
      wanted = f.text("id");
      f.end();
    }
    exchange.json(200, store.fork(name, wanted));
  }

  void export(Exchange exchange, String name) {
    exchange.send(200, "application/octet-stream", store.bytes(name));
  }

  void put(Exchange exchange, String name, byte[] body) {
    exchange.json(200, store.put(name, body));
  }

  /** What the model remembers verbatim: per layer, positions and scores; and the tokens' texts. */
  void memory(Exchange exchange, String name) {
    try (Scope _ = new Scope();
        Memory memory = store.open(name)) {
      int[] ids = memory.ids();
      int first = Math.max(0, ids.length - SHOWN);
      List<String> texts = new ArrayList<>();
      for (int i = first; i < ids.length; i++) {
        texts.add(TokenText.of(engine.tokenizer(), ids[i]));
      }
      var config = engine.engine().model().config();
      Map<String, Object> view = new LinkedHashMap<>();
      view.put("id", name);
      view.put("object", "session.memory");
      view.put("tokens", memory.length());
      view.put("state_bytes", memory.state().bytes());
      view.put("transformer_bytes", Footprint.transformerBytes(config, memory.length()));
      view.put("first", first);
      view.put("texts", texts);
      view.put("layers", layers(memory));
      exchange.json(200, view);
    }
  }

  /** What the newest token attends to, layer by layer; computed now, on the engine's thread. */
  void attention(Exchange exchange, String name) throws InterruptedException {
    try (Memory memory = store.open(name)) {
      Engine models = engine.engine();
      AttentionTrace trace =
          models.ask(() -> {
            try (ModelState state = memory.copyState()) {
              return AttentionTrace.of(models.model(), memory.pending(), state);
            }
          });
      exchange.json(200, AttentionView.of(name, trace));
    }
  }

  private static List<Map<String, Object>> layers(Memory memory) {
    List<Map<String, Object>> layers = new ArrayList<>();
    List<MixerState> states = memory.state().layers();
    for (int i = 0; i < states.size(); i++) {
      @Nullable Tensor positions = states.get(i).eideticPositions();
      if (positions == null) continue;
      Tensor scores = Objects.requireNonNull(states.get(i).eideticScores());
      List<Long> held = new ArrayList<>();
      List<Double> score = new ArrayList<>();
      double[] at = doubles(positions), how = doubles(scores);
      for (int e = 0; e < at.length; e++) {
        if (at[e] < 0) continue;
        held.add((long) at[e]);
        score.add(how[e]);
      }
      layers.add(Map.of("layer", i, "positions", held, "scores", score, "capacity", at.length));
    }
    return layers;
  }

  private static double[] doubles(Tensor row) {
    Tensor host = row.to(ScalarType.Double).cpu().contiguous();
    double[] values = new double[(int) host.numel()];
    new DoublePointer(host.data_ptr()).get(values);
    return values;
  }
}
