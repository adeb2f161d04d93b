package org.bmojo.foreign;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.AttentionDetails;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.BlockConfig.ExpertsConfig;
import org.bmojo.model.ModelConfig;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Llama and its descendants: pre-norm blocks of rotary attention and SwiGLU. They differ in biases,
 * norms of queries and keys, windows, and experts.
 */
final class Transformers implements Architecture {
  /** Which of them. */
  enum Kind {
    LLAMA("LlamaForCausalLM", "llama"),
    MISTRAL("MistralForCausalLM", "mistral"),
    QWEN2("Qwen2ForCausalLM", "qwen2"),
    QWEN3("Qwen3ForCausalLM", "qwen3"),
    MIXTRAL("MixtralForCausalLM", "mixtral");

    final String architecture;
    final String type;

    Kind(String architecture, String type) {
      this.architecture = architecture;
      this.type = type;
    }

    /** Whether queries and keys are normalised. */
    boolean qkNorm() {
      return this == QWEN3;
    }
  }

  private final Kind kind;

  Transformers(Kind kind) {
    this.kind = kind;
  }

  @Override
  public String name() {
    return kind.architecture;
  }

  @Override
  public Translation read(Settings config) {
    int layers = config.few("num_hidden_layers");
    List<BlockConfig> blocks = new ArrayList<>();
    Renaming names = outside();
    for (int i = 0; i < layers; i++) {
      MixerConfig mixer = new MixerConfig(null, attention(config, kind, window(config, i)));
      blocks.add(block(config, mixer));
      nameBlock(names, i);
      names.map("layers." + i + ".mixer.", "model.layers." + i + ".self_attn.");
      if (kind == Kind.MIXTRAL) nameExperts(names, i, experts(config).count());
    }
    return new Translation(model(config, kind, blocks), names);
  }

  private BlockConfig block(Settings config, MixerConfig mixer) {
    int inner = config.size("intermediate_size");
    if (kind == Kind.MIXTRAL) return new BlockConfig(mixer, inner, false, experts(config));
    boolean biased = kind == Kind.LLAMA && config.flag("mlp_bias", false);
    return new BlockConfig(mixer, inner, biased, null);
  }

  private static ExpertsConfig experts(Settings config) {
    int count = config.few("num_local_experts", config.few("num_experts", 8));
    return new ExpertsConfig(count, config.size("num_experts_per_tok", 2), true);
  }

  /** The whole around given blocks. */
  static ModelConfig model(Settings config, Kind kind, List<BlockConfig> blocks) {
    config.require("hidden_act", "silu");
    return new ModelConfig(
        config.size("vocab_size"),
        config.size("hidden_size"),
        eps(config, kind),
        config.flag("tie_word_embeddings", false),
        blocks);
  }

  private static double eps(Settings config, Kind kind) {
    return config.number("rms_norm_eps", kind == Kind.MIXTRAL ? 1e-5 : 1e-6);
  }

  /** W of layer {@code i}; null for all tokens. */
  private @Nullable Integer window(Settings config, int i) {
    return switch (kind) {
      case LLAMA -> null;
      case MIXTRAL -> config.optionalSize("sliding_window");
      // Absent is not null here: the library's default is a window.
      case MISTRAL ->
          config.mentions("sliding_window")
              ? config.optionalSize("sliding_window")
              : Integer.valueOf(4096);
      case QWEN2, QWEN3 -> {
        if (!config.flag("use_sliding_window", false)) yield null;
        int window = config.size("sliding_window", 4096);
        if (config.has("layer_types")) {
          String type = config.node("layer_types").path(i).asString("");
          yield type.equals("sliding_attention") ? Integer.valueOf(window) : null;
        }
        yield i >= config.count("max_window_layers", 28) ? Integer.valueOf(window) : null;
      }
    };
  }

  /** The attention of such a model, with a window or without. */
  static AttentionConfig attention(Settings config, Kind kind, @Nullable Integer window) {
    int heads = config.size("num_attention_heads");
    int dim =
        config.size(
            "head_dim", kind == Kind.QWEN3 ? 128 : Math.max(1, config.size("hidden_size") / heads));
    int usual =
        switch (kind) {
          case MISTRAL, MIXTRAL -> 8;
          case QWEN2, QWEN3 -> 32;
          case LLAMA -> heads;
        };
    boolean biased =
        switch (kind) {
          case LLAMA, QWEN3 -> config.flag("attention_bias", false);
          case QWEN2 -> true;
          case MISTRAL, MIXTRAL -> false;
        };
    int groups =
        config.mentions("num_key_value_heads") ? config.size("num_key_value_heads", heads) : usual;
    Rope rope = Rope.read(config, kind == Kind.MIXTRAL ? 1e6 : 1e4);
    return new AttentionConfig(
        heads,
        groups,
        dim,
        window,
        0,
        0,
        kind.qkNorm(),
        true,
        rope.base(),
        null,
        new AttentionDetails(
            biased,
            biased && kind != Kind.QWEN2,
            kind.qkNorm() ? eps(config, kind) : 1e-6,
            null,
            rope.scaling(),
            false,
            !config.flag(Written.WIDE_ANGLES, false)));
  }

  /** Names outside the blocks. */
  static Renaming outside() {
    return new Renaming()
        .map("embed_tokens.", "model.embed_tokens.")
        .map("norm.", "model.norm.")
        .map("lm_head.", "lm_head.");
  }

  /** Names of what surrounds a mixer. */
  static void nameBlock(Renaming names, int i) {
    String ours = "layers." + i, theirs = "model.layers." + i;
    names
        .map(ours + ".mixer_norm.", theirs + ".input_layernorm.")
        .map(ours + ".mlp_norm.", theirs + ".post_attention_layernorm.")
        .map(ours + ".mlp.", theirs + ".mlp.");
  }

  private static void nameExperts(Renaming names, int i, int count) {
    String ours = "layers." + i + ".mlp.", theirs = "model.layers." + i + ".block_sparse_moe.";
    names.map(ours + "router.", theirs + "gate.");
    for (int e = 0; e < count; e++) {
      String mine = ours + "experts." + e, its = theirs + "experts." + e;
      names
          .map(mine + ".gate_proj.", its + ".w1.")
          .map(mine + ".up_proj.", its + ".w3.")
          .map(mine + ".down_proj.", its + ".w2.");
    }
  }

  @Override
  public @Nullable ObjectNode write(ModelConfig model) {
    AttentionConfig first = model.layers().getFirst().mixer().attention();
    if (first == null) return null;
    ObjectNode config = Written.start(this, kind.type);
    base(config, model, first);
    BlockConfig block = model.layers().getFirst();
    config.put("mlp_bias", block.mlpBias());
    ExpertsConfig experts = block.experts();
    if (experts != null) {
      config.put("num_local_experts", experts.count());
      config.put("num_experts_per_tok", experts.chosen());
    }
    windows(config, model);
    return config;
  }

  private void windows(ObjectNode config, ModelConfig model) {
    boolean some = false;
    List<String> types = new ArrayList<>();
    for (BlockConfig block : model.layers()) {
      AttentionConfig a = block.mixer().attention();
      Integer window = a == null ? null : a.window();
      types.add(window == null ? "full_attention" : "sliding_attention");
      if (window == null) continue;
      some = true;
      config.put("sliding_window", window);
    }
    if (!some) config.putNull("sliding_window");
    if (kind != Kind.QWEN2 && kind != Kind.QWEN3) return;
    config.put("use_sliding_window", some);
    var array = config.putArray("layer_types");
    types.forEach(array::add);
  }

  /** The keys that {@link #model} and {@link #attention} read. */
  static void base(ObjectNode config, ModelConfig model, AttentionConfig attention) {
    config
        .put("vocab_size", model.vocabulary())
        .put("hidden_size", model.width())
        .put("num_hidden_layers", model.layers().size())
        .put("intermediate_size", model.layers().getFirst().mlp())
        .put("hidden_act", "silu")
        .put("rms_norm_eps", model.normEps())
        .put("tie_word_embeddings", model.tied())
        .put("num_attention_heads", attention.heads())
        .put("num_key_value_heads", attention.kvHeads())
        .put("head_dim", attention.headDim())
        .put("attention_bias", attention.details().outputBias())
        .put("max_position_embeddings", Written.POSITIONS);
    if (!attention.details().singleAngles()) config.put(Written.WIDE_ANGLES, true);
    new Rope(attention.ropeBase(), attention.details().ropeScaling()).write(config);
  }
}
