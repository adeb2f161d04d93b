package org.bmojo.foreign;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.AttentionDetails;
import org.bmojo.mixer.DeltaHeads;
import org.bmojo.mixer.GatedDeltaNetConfig;
import org.bmojo.mixer.GatedKalmaNetConfig;
import org.bmojo.mixer.Mamba2Config;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.ModelConfig;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/** Writes a hybrid's pattern and the settings of its layers, each kind's from its first layer. */
final class HybridWriter {
  private HybridWriter() {}

  /** The heads that all layers of a hybrid share; null where there is nothing to tell them by. */
  static @Nullable AttentionConfig shape(ModelConfig model) {
    AttentionConfig fallback = null;
    for (BlockConfig block : model.layers()) {
      AttentionConfig a = block.mixer().attention();
      if (a != null && a.fading() == 0) return a;
      if (a != null) fallback = a;
    }
    if (fallback != null) return fallback;
    return switch (model.layers().getFirst().mixer().ssm()) {
      case GatedDeltaNetConfig c -> shape(c.heads());
      case GatedKalmaNetConfig c -> shape(c.heads());
      case Mamba2Config c -> shape(DeltaHeads.of(c.heads(), c.inputHeads(), c.headDim(), 1e-5));
      case null, default -> null;
    };
  }

  private static AttentionConfig shape(DeltaHeads h) {
    return new AttentionConfig(
        h.queryHeads(),
        h.keyHeads(),
        h.headDim(),
        null,
        0,
        0,
        false,
        true,
        1e4,
        null,
        AttentionDetails.PLAIN);
  }

  /** False where a layer is none of a hybrid's. */
  static boolean write(ObjectNode config, ModelConfig model) {
    List<String> symbols = new ArrayList<>();
    for (BlockConfig block : model.layers()) {
      LayerSymbol symbol = symbol(block.mixer());
      if (symbol == null) return false;
      symbols.add(symbol.text());
      settings(config, block.mixer());
    }
    config.put("hybrid_override_pattern", String.join("-", symbols));
    var types = config.putArray("layer_types");
    symbols.forEach(types::add);
    return true;
  }

  private static @Nullable LayerSymbol symbol(MixerConfig mixer) {
    AttentionConfig a = mixer.attention();
    if (mixer.stateOutput()) return null;
    if (a != null && mixer.ssm() != null) return LayerSymbol.BMOJO;
    if (a != null) return a.window() == null ? LayerSymbol.ATTENTION : LayerSymbol.SLIDING;
    return switch (mixer.ssm()) {
      case Mamba2Config _ -> LayerSymbol.MAMBA2;
      case GatedDeltaNetConfig _ -> LayerSymbol.DELTA;
      case GatedKalmaNetConfig _ -> LayerSymbol.KALMA;
      case null, default -> null;
    };
  }

  private static void settings(ObjectNode config, MixerConfig mixer) {
    String name =
        switch (mixer.ssm()) {
          case Mamba2Config c -> {
            config
                .putObject("mamba2_config")
                .put("use_qk_norm", c.keyNorm())
                .put("use_pos_emb", c.ropeBase() > 0)
                .put("d_inner", c.inner())
                .put("d_xb", c.inputHeads() * c.headDim())
                .putObject("ssm_cfg")
                .put("expand", 1)
                .put("ngroups", c.heads())
                .put("d_state", c.stateSize());
            yield "mamba2";
          }
          case GatedDeltaNetConfig c -> {
            delta(config.putObject("gdn_config"), c);
            yield "gdn";
          }
          case GatedKalmaNetConfig c -> {
            kalma(config.putObject("gka_config"), c);
            yield "gka";
          }
          case null, default -> "";
        };
    AttentionConfig a = mixer.attention();
    if (a == null || a.window() == null) return;
    if (mixer.ssm() == null) {
      config.putObject("swa_config").put("window_size", a.window());
      return;
    }
    config
        .putObject("bmojo_config")
        .put("window_size", a.window())
        .put("tie_attn_weights", a.tied())
        .put("ssm_mixer", name)
        .put("num_heads", a.heads())
        .put("num_key_value_heads", a.kvHeads())
        .put("head_dim", a.headDim());
  }

  private static void delta(ObjectNode own, GatedDeltaNetConfig c) {
    heads(own, c.heads());
    own.put("use_short_conv", c.heads().convolution() > 0)
        .put("conv_bias", c.heads().convolutionBias())
        .put("allow_neg_eigval", c.negativeEigenvalues());
  }

  private static void kalma(ObjectNode own, GatedKalmaNetConfig c) {
    heads(own, c.heads());
    own.put("use_v_conv", c.heads().valueConvolution())
        .put("solver_type", "chebyshev")
        .put("num_iter", c.iterations())
        .put("ridge_strength", c.ridge())
        .put("use_alpha_connection", c.mixed())
        .put("use_beta_gate", c.betaGate())
        .put("use_forgetting_gate", c.forgets())
        .put("use_forgetting_gate_kk", c.matrixForgets())
        .put("gla_rescale", c.scaled())
        .put("bp_lambda", c.throughLambda());
  }

  private static void heads(ObjectNode own, DeltaHeads h) {
    own.put("head_dim", h.headDim())
        .put("num_q_heads", h.queryHeads())
        .put("num_k_heads", h.keyHeads())
        .put("num_v_heads", h.valueHeads())
        .put("conv_size", h.convolution() == 0 ? 4 : h.convolution())
        .put("use_gate", h.gated())
        .put("norm_eps", h.normEps())
        .put("kv_proj_rank", h.expansionRank())
        .put("kv_learnable_residual", h.learntRepeat());
  }
}
