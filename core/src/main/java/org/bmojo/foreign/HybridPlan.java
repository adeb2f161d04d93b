package org.bmojo.foreign;

import java.util.List;
import org.bmojo.error.BadInput;
import org.bmojo.io.Json;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.ModelConfig;
import tools.jackson.databind.node.ObjectNode;

/**
 * Which layers of a Transformer are to become what.
 *
 * @param pattern a symbol for each layer, such as {@code *-BMF-*-M2}
 * @param window W of {@code BMF} and {@code SWA} layers
 * @param fading the state space in {@code BMF} layers: mamba2, gdn or gka
 */
public record HybridPlan(String pattern, int window, String fading) {
  /** Refuses a window that sees nothing. */
  public HybridPlan {
    if (window < 1) {
      throw new BadInput("window " + window, "expected at least 1", "Correct the window");
    }
  }

  /** The symbols, one for each layer of {@code source}. */
  public List<LayerSymbol> symbols(ModelConfig source) {
    return LayerSymbol.parse(pattern, "the plan", source.layers().size());
  }

  /**
   * The hybrid's configuration.
   *
   * @throws BadInput if {@code source} is no Transformer of full attention, or the pattern does not
   *     fit it
   */
  public ModelConfig apply(ModelConfig source) {
    symbols(source);
    for (BlockConfig block : source.layers()) full(block.mixer());
    AttentionConfig attention = full(source.layers().getFirst().mixer());
    Transformers.Kind base = base(attention);
    ObjectNode config = Json.mapper().createObjectNode();
    Transformers.base(config, source, attention);
    config.put("mlp_bias", source.layers().getFirst().mlpBias());
    // The factory gives q, k and v of BMF layers a bias where nothing is said: Qwen2 has them.
    if (base == Transformers.Kind.QWEN2) config.remove("attention_bias");
    config.put("hybrid_override_pattern", pattern);
    config.putObject("bmojo_config").put("window_size", window).put("ssm_mixer", fading);
    config.putObject("swa_config").put("window_size", window);
    return new Hybrids(base).read(new Settings(config, "the plan")).model();
  }

  private static AttentionConfig full(MixerConfig mixer) {
    AttentionConfig a = mixer.attention();
    if (a != null && a.window() == null && a.convolution() == 0 && mixer.ssm() == null) return a;
    throw new BadInput(
        "a model with other layers than full attention",
        "expected a Transformer such as Llama, Qwen2 or Qwen3",
        "Prime the Transformer that it was made from");
  }

  private static Transformers.Kind base(AttentionConfig attention) {
    if (attention.qkNorm()) return Transformers.Kind.QWEN3;
    boolean biased = attention.details().qkvBias() && !attention.details().outputBias();
    return biased ? Transformers.Kind.QWEN2 : Transformers.Kind.LLAMA;
  }
}
