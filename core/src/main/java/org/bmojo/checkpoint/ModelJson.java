package org.bmojo.checkpoint;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bmojo.error.BadInput;
import org.bmojo.io.Json;
import org.bmojo.layer.RopeScaling;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.FarPositions;
import org.bmojo.mixer.GatedDeltaNetConfig;
import org.bmojo.mixer.GatedKalmaNetConfig;
import org.bmojo.mixer.Mamba2Config;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.Selection;
import org.bmojo.mixer.SsmConfig;
import org.bmojo.mixer.StorageConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.ModelConfig;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.EnumNamingStrategies;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.annotation.EnumNaming;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A {@link ModelConfig} as JSON, written by hand or by us. Every key must be there, null where the
 * part is absent: a forgotten key is a setting that someone believes to be in force. Only {@code
 * storage}, which came late, may be left out.
 *
 * <pre>{@code
 * {"vocabulary": 257, "width": 64, "normEps": 1e-5, "tied": true,
 *  "layers": [{"repeat": 2, "block": {"mlp": 128, "mixer": {
 *      "ssm": {"kind": "mamba", "stateSize": 16, …}, "attention": {"heads": 2, …}}}}]}
 * }</pre>
 */
public final class ModelJson {
  /** The kinds of state space; a new one gets its line here. */
  @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind")
  @JsonSubTypes({
    @JsonSubTypes.Type(value = MambaConfig.class, name = "mamba"),
    @JsonSubTypes.Type(value = Mamba2Config.class, name = "mamba2"),
    @JsonSubTypes.Type(value = GatedDeltaNetConfig.class, name = "gated_delta_net"),
    @JsonSubTypes.Type(value = GatedKalmaNetConfig.class, name = "gated_kalma_net")
  })
  private interface SsmKinds {}

  @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind")
  @JsonSubTypes({
    @JsonSubTypes.Type(value = RopeScaling.Linear.class, name = "linear"),
    @JsonSubTypes.Type(value = RopeScaling.Dynamic.class, name = "dynamic"),
    @JsonSubTypes.Type(value = RopeScaling.Llama3.class, name = "llama3"),
    @JsonSubTypes.Type(value = RopeScaling.Yarn.class, name = "yarn")
  })
  private interface RopeKinds {}

  @EnumNaming(EnumNamingStrategies.SnakeCaseStrategy.class)
  private interface LowerCase {}

  /** Left out where there is none: files that are older than storage go on being read. */
  private interface Brief {
    @JsonInclude(JsonInclude.Include.NON_NULL)
    @Nullable StorageConfig storage();

    @JsonInclude(JsonInclude.Include.NON_DEFAULT)
    double initialBias();

    @JsonInclude(JsonInclude.Include.NON_DEFAULT)
    boolean early();

    @JsonInclude(JsonInclude.Include.NON_DEFAULT)
    boolean scaleFree();
  }

  /** Equal blocks in a row. */
  private record Layers(int repeat, BlockConfig block) {
    Layers {
      if (repeat < 1) {
        throw new BadInput("repeat " + repeat, "expected at least 1", "Correct the layers");
      }
    }
  }

  private record Model(
      int vocabulary, int width, double normEps, boolean tied, List<Layers> layers) {}

  private static final JsonMapper MAPPER =
      Json.mapper()
          .rebuild()
          .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
          .addMixIn(SsmConfig.class, SsmKinds.class)
          .addMixIn(RopeScaling.class, RopeKinds.class)
          .addMixIn(Selection.class, LowerCase.class)
          .addMixIn(FarPositions.class, LowerCase.class)
          .addMixIn(StorageConfig.Summary.class, LowerCase.class)
          .addMixIn(EideticConfig.class, Brief.class)
          .build();

  private ModelJson() {}

  /** The configuration as a tree. */
  public static ObjectNode write(ModelConfig config) {
    List<Layers> runs = new ArrayList<>();
    for (BlockConfig block : config.layers()) {
      boolean again = !runs.isEmpty() && runs.getLast().block.equals(block);
      int before = again ? runs.removeLast().repeat : 0;
      runs.add(new Layers(before + 1, block));
    }
    return MAPPER.valueToTree(
        new Model(config.vocabulary(), config.width(), config.normEps(), config.tied(), runs));
  }

  /**
   * The configuration in {@code tree}.
   *
   * @param where the source, for messages
   * @throws BadInput if keys are missing, unknown or contradict each other
   */
  public static ModelConfig read(JsonNode tree, String where) {
    try {
      Model model = MAPPER.treeToValue(written(tree), Model.class);
      List<BlockConfig> blocks = new ArrayList<>();
      for (Layers layers : model.layers) {
        for (int i = 0; i < layers.repeat; i++) blocks.add(layers.block);
      }
      return new ModelConfig(model.vocabulary, model.width, model.normEps, model.tied, blocks);
    } catch (JacksonException e) {
      throw Json.trouble(where, e);
    }
  }

  /** The tree with everything written out that {@link Brief} leaves out. */
  private static JsonNode written(JsonNode tree) {
    JsonNode copy = tree.deepCopy();
    for (JsonNode layer : copy.path("layers")) {
      JsonNode memory = layer.path("block").path("mixer").path("attention").path("eidetic");
      if (!(memory instanceof ObjectNode eidetic)) continue;
      if (!eidetic.has("storage")) eidetic.putNull("storage");
      if (!eidetic.has("initialBias")) eidetic.put("initialBias", 0.0);
      if (!eidetic.has("early")) eidetic.put("early", false);
      if (!eidetic.has("scaleFree")) eidetic.put("scaleFree", false);
    }
    return copy;
  }

  /** The configuration in a file: {@link #write}'s tree, or a checkpoint's {@code config.json}. */
  public static ModelConfig read(Path file) {
    JsonNode tree = Json.tree(file);
    boolean checkpoint = tree.has("architectures");
    return read(checkpoint ? tree.path("model") : tree, file.toString());
  }
}
