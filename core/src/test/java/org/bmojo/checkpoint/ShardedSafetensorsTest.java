package org.bmojo.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ShardedSafetensorsTest {
  private static final String ONE = "model-00001-of-00002.safetensors";
  private static final String TWO = "model-00002-of-00002.safetensors";

  @TempDir Path folder = Path.of("");
  private final Scope scope = new Scope();
  private final Tensor a = torch.randn(13, 2);
  private final Tensor b = torch.randn(63);

  @BeforeEach
  void twoShards() throws IOException {
    Safetensors.write(folder.resolve(ONE), Map.of("a", a), Map.of("format", "pt"));
    Safetensors.write(folder.resolve(TWO), Map.of("b", b), Map.of("format", "pt"));
    index("{\"metadata\":{\"total_size\":356},\"weight_map\":{\"a\":\"%s\",\"b\":\"%s\"}}");
  }

  @AfterEach
  void free() {
    scope.close();
  }

  @Test
  void aSetReadsLikeOneFile() {
    for (Path path : new Path[] {folder, folder.resolve("model.safetensors.index.json")}) {
      try (Safetensors saved = Safetensors.open(path)) {
        assertThat(saved.names()).containsExactlyInAnyOrder("a", "b");
        assertThat(saved.metadata()).containsEntry("format", "pt");
        assertThat(torch.equal(saved.tensor("a"), a)).isTrue();
        assertThat(torch.equal(saved.tensor("b"), b)).isTrue();
      }
    }
  }

  @Test
  void aFolderWithOneFileIsReadToo() throws IOException {
    Files.delete(folder.resolve("model.safetensors.index.json"));
    Files.move(folder.resolve(ONE), folder.resolve("model.safetensors"));
    try (Safetensors saved = Safetensors.open(folder)) {
      assertThat(saved.names()).containsExactly("a");
    }
  }

  @Test
  void halfASetIsRefused() throws IOException {
    Files.delete(folder.resolve(TWO));
    refuses("names 1 files that are not there: [" + TWO + "]");
  }

  @Test
  void shardsWithoutAnIndexAreRefused() throws IOException {
    Files.delete(folder.resolve("model.safetensors.index.json"));
    refuses("without an index");
  }

  @Test
  void aTensorInTwoShardsIsRefused() {
    Safetensors.write(folder.resolve(TWO), Map.of("a", a, "b", b), Map.of());
    refuses("tensor a is in");
  }

  @Test
  void indexAndShardsMustAgree() throws IOException {
    index("{\"weight_map\":{\"a\":\"%s\",\"b\":\"%s\",\"c\":\"" + ONE + "\"}}");
    refuses("no file has, such as c");
    Safetensors.write(folder.resolve(ONE), Map.of("a", a, "d", b), Map.of());
    index("{\"weight_map\":{\"a\":\"%s\",\"b\":\"%s\"}}");
    refuses("does not list 1 tensors, such as d");
    Safetensors.write(folder.resolve(ONE), Map.of("a", a), Map.of());
    index("{\"weight_map\":{\"b\":\"%s\",\"a\":\"%s\"}}");
    refuses("says that tensor b is in " + ONE);
  }

  @Test
  void oneFileBesideASetIsAmbiguous() throws IOException {
    Files.copy(folder.resolve(ONE), folder.resolve("model.safetensors"));
    refuses("has both");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{",
        "[]",
        "{}",
        "{\"weight_map\":{}}",
        "{\"weight_map\":{\"a\":1}}",
        "{\"weight_map\":{\"a\":\"../w.safetensors\"}}",
        "{\"weight_map\":{\"a\":\"/etc/w.safetensors\"}}",
        "{\"weight_map\":{\"a\":\"w.bin\"}}",
        "{\"weight_map\":{\"a\":\"%1$s\",\"a\":\"%1$s\"}}",
      })
  void aBadIndexIsRefused(String json) throws IOException {
    index(json);
    refuses("index.json");
  }

  private void index(String json) throws IOException {
    Files.writeString(folder.resolve("model.safetensors.index.json"), json.formatted(ONE, TWO));
  }

  private void refuses(String message) {
    assertThatThrownBy(() -> Safetensors.open(folder).close())
        .isInstanceOf(BadInput.class)
        .hasMessageContaining(message);
  }
}
