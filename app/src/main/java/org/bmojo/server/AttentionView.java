package org.bmojo.server;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.bmojo.mixer.AttentionWeights;
import org.bmojo.mixer.AttentionWeights.Seen;
import org.bmojo.model.AttentionTrace;

/**
 * What a session's newest token attends to, as {@code GET /v1/sessions/ID/attention} tells it.
 *
 * @param position of that token
 * @param layers those with attention
 */
record AttentionView(String id, String object, long position, List<Layer> layers) {
  /** So many tokens are told of a layer, the most attended to first. */
  private static final int MOST = 12;

  /**
   * A layer.
   *
   * @param shares together 1
   * @param most the tokens with the largest weights, in whatever memory
   */
  record Layer(int layer, Shares shares, List<Token> most) {}

  /** What each memory has of the softmax. */
  record Shares(double window, double fading, double eidetic, double storage) {}

  /** A token as one memory holds it. */
  record Token(String memory, long position, double weight) {}

  static AttentionView of(String id, AttentionTrace trace) {
    List<Layer> layers = new ArrayList<>();
    for (AttentionTrace.Layer layer : trace.layers()) {
      AttentionWeights w = layer.weights();
      Shares shares =
          new Shares(
              AttentionWeights.share(w.window()),
              AttentionWeights.share(w.fading()),
              AttentionWeights.share(w.eidetic()),
              w.storage());
      List<Token> most =
          Stream.of(
                  tokens("window", w.window()),
                  tokens("fading", w.fading()),
                  tokens("eidetic", w.eidetic()))
              .flatMap(all -> all)
              .sorted(Comparator.comparingDouble(Token::weight).reversed())
              .limit(MOST)
              .toList();
      layers.add(new Layer(layer.layer(), shares, most));
    }
    return new AttentionView(id, "session.attention", trace.position(), layers);
  }

  private static Stream<Token> tokens(String memory, List<Seen> seen) {
    return seen.stream().map(s -> new Token(memory, s.position(), s.weight()));
  }
}
