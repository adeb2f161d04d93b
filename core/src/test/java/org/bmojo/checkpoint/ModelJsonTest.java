package org.bmojo.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.regex.Pattern;
import org.bmojo.error.BadInput;
import org.bmojo.io.Json;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.Presets;
import org.bmojo.model.SmallPresets;
import org.bmojo.model.TinyModels;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A configuration survives JSON, and JSON that says something else is refused. */
class ModelJsonTest {
  @Test
  void everyConfigurationComesBack() {
    TinyModels.all()
        .forEach((name, config) -> assertThat(again(config)).as(name).isEqualTo(config));
    for (String name : Presets.names()) {
      ModelConfig config = Presets.named(name, 50_280);
      assertThat(again(config)).as(name).isEqualTo(config);
    }
  }

  private static ModelConfig again(ModelConfig config) {
    return parse(new String(Json.bytes(ModelJson.write(config)), StandardCharsets.UTF_8));
  }

  private static ModelConfig parse(String json) {
    return ModelJson.read(
        Json.tree(json.getBytes(StandardCharsets.UTF_8), "model.json"), "model.json");
  }

  /** Each row turns a good configuration into a bad one by one replacement. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          "tied" : true,            | "tide" : true,             | tied
          "tied" : true,            | "tied" : true, "extra": 1, | extra
          "tied" : true,            | ''                         | tied
          "tied" : true,            | "tied" : null,             | tied
          "vocabulary" : 13,        | "vocabulary" : "many",     | vocabulary
          "vocabulary" : 13,        | "vocabulary" : 0,          | vocabulary 0
          "kind" : "mamba",         | "kind" : "mumba",          | mumba
          "selection" : "innovation"| "selection" : "inovation"  | inovation
          "window" : 4,             | "window" : 0,              | window 0
          "window" : 4,             | "window" : null,           | full attention
          "headDim" : 4,            | "headDim" : 5,             | headDim 5
          "kvHeads" : 1,            | "kvHeads" : 3,             | 3 key/value heads
          "quantile" : 0.3          | "quantile" : 1.3           | quantile 1.3
          "absolute" : null,        | "absolute" : 2.0,          | exactly one
          "capacity" : 4,           | "capacity" : 0,            | capacity 0
          """)
  void anythingElseIsRefusedByName(String good, String bad, String named) {
    ModelConfig config = Objects.requireNonNull(TinyModels.all().get("everything"));
    String json = new String(Json.bytes(ModelJson.write(config)), StandardCharsets.UTF_8);
    assertThat(json).contains(good.strip());
    String broken = json.replaceFirst(Pattern.quote(good.strip()), bad.strip());
    assertThatThrownBy(() -> parse(broken))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining(named.strip());
  }

  @Test
  void aStateThatIsReadButMissingIsRefused() {
    ModelConfig config = Objects.requireNonNull(TinyModels.all().get("everything"));
    String json = new String(Json.bytes(ModelJson.write(config)), StandardCharsets.UTF_8);
    String stateless = json.replaceFirst("(?s)\"ssm\" : \\{.*?\\}", "\"ssm\" : null");
    assertThatThrownBy(() -> parse(stateless))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("without ssm");
  }

  @Test
  void aFileWithoutAnInitialBiasStartsAtZero() {
    ModelConfig config = Presets.named("bmojo-130m", 50_280);
    String json = new String(Json.bytes(ModelJson.write(config)), StandardCharsets.UTF_8);
    assertThat(json).contains("\"initialBias\" : -4.0");
    String older = json.replaceAll(",\\s*\"initialBias\" : -4.0", "");
    ModelConfig read = parse(older);
    assertThat(read).isNotEqualTo(config);
    assertThat(new String(Json.bytes(ModelJson.write(read)), StandardCharsets.UTF_8))
        .doesNotContain("initialBias");
  }

  @Test
  void aFileWithoutScaleFreePredictsAsItDid() {
    ModelConfig config = SmallPresets.named("bmojo-tiny", 257);
    String json = new String(Json.bytes(ModelJson.write(config)), StandardCharsets.UTF_8);
    assertThat(json).contains("\"scaleFree\" : true");
    ModelConfig read = parse(json.replaceAll(",\\s*\"scaleFree\" : true", ""));
    assertThat(read).isNotEqualTo(config);
    assertThat(new String(Json.bytes(ModelJson.write(read)), StandardCharsets.UTF_8))
        .doesNotContain("scaleFree");
  }

  @Test
  void aScaleFreePredictionOfARuleThatDoesNotPredictIsRefused() {
    String json =
        new String(
            Json.bytes(ModelJson.write(SmallPresets.named("bmojo-tiny", 257))),
            StandardCharsets.UTF_8);
    assertThatThrownBy(() -> parse(json.replace("innovation", "contextual")))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("scaleFree prediction for selection by contextual");
  }

  @Test
  void anInitialBiasOfAScoreThatIsNotLearnedIsRefused() {
    String json =
        new String(
            Json.bytes(ModelJson.write(Presets.named("bmojo-130m", 50_280))),
            StandardCharsets.UTF_8);
    assertThatThrownBy(() -> parse(json.replace("contextual", "innovation")))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("initialBias of -4.0 for selection by innovation");
  }
}
