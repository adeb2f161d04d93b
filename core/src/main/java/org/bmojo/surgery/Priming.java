package org.bmojo.surgery;

import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.List;
import org.bmojo.error.BadInput;
import org.bmojo.foreign.HybridPlan;
import org.bmojo.foreign.LayerSymbol;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.GatedDeltaNetConfig;
import org.bmojo.mixer.GatedKalmaNetConfig;
import org.bmojo.mixer.Mamba2Config;
import org.bmojo.mixer.SsmConfig;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Stage 0 of priming: a Transformer becomes a hybrid whose new layers begin as near to the
 * attention they replace as their form allows. Queries, keys, values and outputs become C, B, x and
 * out-projection of a Mamba-2, or the like-named maps of the others; gates begin at ½·(W_oᵀ + W_v
 * with every row repeated). What forgets, convolves and mixes is fresh, and to be trained.
 */
public final class Priming {
  private Priming() {}

  /**
   * A hybrid from a Transformer.
   *
   * @param source keeps its weights, which the result shares
   * @param seed of the fresh weights
   * @throws BadInput if the pattern does not fit, or the source is no Transformer of full attention
   */
  public static Operated prime(LanguageModel source, HybridPlan plan, long seed) {
    ModelConfig config = plan.apply(source.config());
    try (Scope scope = new Scope()) {
      Transplant t = Transplant.of(source, config, seed);
      List<LayerSymbol> symbols = plan.symbols(source.config());
      for (int i = 0; i < symbols.size(); i++) {
        String layer = "layers." + i + ".mixer.";
        for (String map : List.of("q_proj", "k_proj", "v_proj", "q_norm", "k_norm")) {
          for (String kind : List.of(".weight", ".bias")) {
            copy(t, layer + map + kind, layer + "fading_" + map + kind);
          }
        }
        SsmConfig ssm = config.layers().get(i).mixer().ssm();
        switch (ssm) {
          case Mamba2Config mamba2 -> mamba2(t, layer, mamba2);
          case GatedDeltaNetConfig _, GatedKalmaNetConfig _ ->
              heads(t, layer, source.config().layers().get(i).mixer().attention());
          case null, default -> {}
        }
      }
      return t.done();
    }
  }

  private static void mamba2(Transplant t, String layer, Mamba2Config c) {
    String into = layer + "ssm.", in = into + "in_proj.weight";
    long inner = c.inner(), narrow = (long) c.inputHeads() * c.headDim();
    Tensor v = weight(t, layer, "v_proj");
    t.fillRows(in, 0, gate(t, layer, c.heads() / c.inputHeads()));
    t.fillRows(in, inner, v);
    t.fillRows(in, inner + narrow, weight(t, layer, "k_proj"));
    t.fillRows(in, inner + 2 * narrow, weight(t, layer, "q_proj"));
    t.note(in, "the last " + c.heads() + " rows: step sizes");
    copy(t, layer + "o_proj.weight", into + "out_proj.weight");
    copy(t, layer + "k_norm.weight", into + "B_norm.weight");
    copy(t, layer + "q_norm.weight", into + "C_norm.weight");
  }

  private static void heads(Transplant t, String layer, @Nullable AttentionConfig a) {
    if (a == null) throw new AssertionError(layer);
    String into = layer + "ssm.";
    for (String map : List.of("q_proj", "k_proj", "v_proj", "o_proj")) {
      copy(t, layer + map + ".weight", into + map + ".weight");
    }
    if (t.has(into + "g_proj.weight")) {
      t.fill(into + "g_proj.weight", gate(t, layer, a.heads() / a.kvHeads()));
    }
  }

  /** ½·(W_oᵀ + W_v, every row repeated), (H·D, d). */
  private static Tensor gate(Transplant t, String layer, long times) {
    Tensor v = weight(t, layer, "v_proj");
    Tensor repeated = v.repeat_interleave(times, new LongOptional(0), new LongOptional());
    return weight(t, layer, "o_proj").t().add(repeated).mul(scalar(0.5));
  }

  private static Tensor weight(Transplant t, String layer, String map) {
    Tensor w = t.donated(layer + map + ".weight");
    if (w != null) return w;
    throw new AssertionError(layer + map);
  }

  /** Where both are there. */
  private static void copy(Transplant t, String from, String to) {
    Tensor w = t.donated(from);
    if (w != null && t.has(to)) t.fill(to, w);
  }
}
