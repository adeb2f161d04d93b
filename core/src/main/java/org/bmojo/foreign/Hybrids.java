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
import org.bmojo.mixer.SsmConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.ModelConfig;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * The hybrid model factory's: a Transformer some of whose attention layers were replaced, as {@code
 * hybrid_override_pattern} says layer by layer. (Their {@code layer_types} repeat the pattern in a
 * form that nothing else reads.)
 */
final class Hybrids implements Architecture {
  private final Transformers.Kind base;

  Hybrids(Transformers.Kind base) {
    this.base = base;
  }

  @Override
  public String name() {
    return "Hybrid" + base.architecture;
  }

  @Override
  public Translation read(Settings config) {
    List<LayerSymbol> pattern = LayerSymbol.pattern(config);
    List<BlockConfig> blocks = new ArrayList<>();
    Renaming names = Transformers.outside();
    boolean biased = base == Transformers.Kind.LLAMA && config.flag("mlp_bias", false);
    for (int i = 0; i < pattern.size(); i++) {
      LayerSymbol symbol = pattern.get(i);
      MixerConfig mixer =
          switch (symbol) {
            case ATTENTION -> new MixerConfig(null, attention(config, null));
            case SLIDING ->
                new MixerConfig(
                    null, attention(config, config.part("swa_config").size("window_size")));
            case MAMBA2 -> new MixerConfig(mamba2(config), null);
            case DELTA -> new MixerConfig(delta(config), null);
            case KALMA -> new MixerConfig(kalma(config), null);
            case BMOJO -> new MixerConfig(fading(config), bmojo(config));
          };
      blocks.add(new BlockConfig(mixer, config.size("intermediate_size"), biased, null));
      Transformers.nameBlock(names, i);
      name(names, i, symbol, mixer);
    }
    return new Translation(Transformers.model(config, base, blocks), names);
  }

  private static void name(Renaming names, int i, LayerSymbol symbol, MixerConfig mixer) {
    String ours = "layers." + i + ".mixer.", theirs = "model.layers." + i + ".";
    String ssm = mixer.ssm() == null ? "" : part(mixer.ssm());
    switch (symbol) {
      case ATTENTION -> names.map(ours, theirs + "self_attn.");
      case SLIDING -> names.map(ours, theirs + "swa.", theirs + "self_attn.");
      case MAMBA2, DELTA, KALMA -> names.map(ours + "ssm.", theirs + ssm);
      case BMOJO -> {
        String attention = theirs + "bmojo_f.bmojo_attn.";
        names.map(ours + "ssm.", theirs + "bmojo_f." + ssm).map(ours, attention);
        for (String map : List.of("q_proj", "k_proj", "v_proj", "q_norm", "k_norm")) {
          names.map(ours + "fading_" + map + ".", attention + map + "_.");
        }
      }
    }
  }

  private static String part(SsmConfig ssm) {
    return switch (ssm) {
      case GatedDeltaNetConfig _ -> "gdn.";
      case GatedKalmaNetConfig _ -> "gka.";
      default -> "mamba.";
    };
  }

  private AttentionConfig attention(Settings config, @Nullable Integer window) {
    return Transformers.attention(config, base, window);
  }

  /** B'MOJO-F: as far beyond the window as the window reaches. */
  private AttentionConfig bmojo(Settings config) {
    Settings own = config.part("bmojo_config");
    int window = own.size("window_size");
    boolean tied = own.flag("tie_attn_weights", true);
    AttentionConfig plain = attention(config, window);
    AttentionDetails details = plain.details();
    // Without norms their scale comes from the model's width, whatever the heads' is.
    double scale = Math.pow((double) config.size("hidden_size") / plain.heads(), -0.5);
    boolean usual = base.qkNorm() || plain.scale() == scale;
    return new AttentionConfig(
        plain.heads(),
        plain.kvHeads(),
        plain.headDim(),
        window,
        window,
        0,
        plain.qkNorm(),
        tied,
        plain.ropeBase(),
        null,
        new AttentionDetails(
            config.flag("attention_bias", true),
            config.flag("attention_bias", false),
            details.qkNormEps(),
            usual ? null : Double.valueOf(scale),
            details.ropeScaling(),
            !tied,
            details.singleAngles()));
  }

  private SsmConfig fading(Settings config) {
    Settings own = config.part("bmojo_config");
    return switch (own.text("ssm_mixer", "mamba2")) {
      case "mamba2" -> mamba2(config);
      case "gdn", "gated_deltanet" -> delta(config);
      case "gka", "gated_kalmanet", "parallel_latent_sketch" -> kalma(config);
      default -> throw own.refused("ssm_mixer", "mamba2, gdn or gka");
    };
  }

  private Mamba2Config mamba2(Settings config) {
    Settings own = config.part("mamba2_config");
    AttentionConfig a = attention(config, null);
    boolean turned = own.flag("use_pos_emb", false);
    if (turned && a.details().ropeScaling() != null) {
      throw own.refused("use_pos_emb", "false in a model with rope scaling");
    }
    return new Mamba2Config(
        a.heads(),
        a.headDim(),
        a.headDim(),
        a.kvHeads(),
        a.kvHeads(),
        a.heads(),
        4,
        true,
        false,
        a.heads(),
        1e-5,
        base.qkNorm() && own.flag("use_qk_norm", true),
        turned ? a.ropeBase() : 0,
        0,
        Double.POSITIVE_INFINITY);
  }

  private GatedDeltaNetConfig delta(Settings config) {
    Settings own = config.part("gdn_config");
    int taps = own.flag("use_short_conv", true) ? own.size("conv_size", 4) : 0;
    DeltaHeads heads = heads(config, own, taps, own.flag("conv_bias", false), true, 1e-5);
    return new GatedDeltaNetConfig(heads, own.flag("allow_neg_eigval", false));
  }

  private GatedKalmaNetConfig kalma(Settings config) {
    Settings own = config.part("gka_config");
    own.require("solver_type", "chebyshev");
    boolean ofValues = own.flag("use_v_conv", true);
    DeltaHeads heads = heads(config, own, own.size("conv_size", 4), false, ofValues, 1e-6);
    return new GatedKalmaNetConfig(
        heads,
        own.count("num_iter", 30),
        own.number("ridge_strength", 0.02),
        own.flag("use_alpha_connection", true),
        own.flag("use_beta_gate", true),
        own.flag("use_forgetting_gate", true),
        own.flag("use_forgetting_gate_kk", true),
        own.flag("gla_rescale", true),
        own.flag("bp_lambda", true));
  }

  private DeltaHeads heads(
      Settings config, Settings own, int taps, boolean biased, boolean ofValues, double eps) {
    AttentionConfig a = attention(config, null);
    Integer rank = own.optionalSize("kv_proj_rank");
    return new DeltaHeads(
        a.heads(),
        a.kvHeads(),
        a.kvHeads(),
        a.headDim(),
        taps,
        biased,
        ofValues,
        own.flag("use_gate", true),
        own.number("norm_eps", eps),
        rank,
        rank != null && own.flag("kv_learnable_residual", false));
  }

  @Override
  public @Nullable ObjectNode write(ModelConfig model) {
    ObjectNode config = Written.start(this, "hybrid_" + base.type);
    AttentionConfig attention = HybridWriter.shape(model);
    if (attention == null || !HybridWriter.write(config, model)) return null;
    Transformers.base(config, model, attention);
    if (base == Transformers.Kind.QWEN2) biases(config, model);
    return config.put("mlp_bias", model.layers().getFirst().mlpBias());
  }

  /**
   * This family's attention has biases of q, k and v whatever is said; what is said is about BMF
   * layers, and absent it means the same there.
   */
  private static void biases(ObjectNode config, ModelConfig model) {
    config.remove("attention_bias");
    for (BlockConfig block : model.layers()) {
      AttentionConfig a = block.mixer().attention();
      if (a == null || a.fading() == 0 || (a.details().qkvBias() && !a.details().outputBias())) {
        continue;
      }
      config.put("attention_bias", a.details().outputBias());
    }
  }
}
