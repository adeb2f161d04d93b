package org.bmojo.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.bmojo.data.BatchSource;
import org.bmojo.error.BadInput;
import org.bmojo.io.FileTrouble;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.Models;
import org.bmojo.model.SmallPresets;
import org.bmojo.text.ByteTokenizer;
import org.bmojo.text.StreamingDecoder;
import org.bmojo.text.Tokenizer;
import org.bmojo.train.Optimizer;
import org.bmojo.train.Schedule;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every way in which a folder may be no good, or may not be written. */
class BadCheckpointTest {
  @TempDir Path home = Path.of("");
  private Path folder = Path.of("");

  @BeforeEach
  void saved() {
    folder = home.resolve("model");
    try (LanguageModel model = LanguageModel.create(Models.mixed(257), 1);
        Optimizer optimizer = new Optimizer(model.parameters(), Optimizer.Settings.STANDARD)) {
      var settings =
          new TrainingState.Settings(
              "x", 1, 0, 1, 1, 1, 1, Schedule.cosine(1, 1), Optimizer.Settings.STANDARD);
      var state = new TrainingState(0, BatchSource.Position.START, settings);
      Checkpoint.save(folder, model, new ByteTokenizer(), optimizer, state);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"format\" : 1|\"format\" : 2|format 2;Update this program",
        "\"format\" : 1,||format;expected 1",
        "BMojoForCausalLM|LlamaForever|LlamaForever;BMojoForCausalLM",
        "\"format\" : 1|\"format\" : 1, \"rope\" : 3|unknown keys [rope]",
        "\"width\" : 16|\"width\" : 16, \"width\" : 32|width",
        "\"window\" : 7|\"window\" : -7|window -7",
        "\"width\" : 16|\"width\" : 16|",
      })
  void aConfigurationThatIsNotOurs(String found, String replacement, String messages)
      throws IOException {
    edit(
        "config.json",
        text -> {
          assertThat(text).contains(found);
          return text.replace(found, replacement == null ? "" : replacement);
        });
    if (messages == null) {
      Checkpoint.open(folder).close(); // unchanged: the test can tell
      return;
    }
    assertThatThrownBy(() -> Checkpoint.open(folder))
        .isInstanceOf(BadInput.class)
        .hasMessageContainingAll(messages.split(";"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"config.json", "model.safetensors", "tokenizer.json", "training.json"})
  void aChangedByteIsFound(String file) throws IOException {
    byte[] bytes = Files.readAllBytes(folder.resolve(file));
    int at = file.endsWith(".json") ? lastIndexOf(bytes, ' ') : bytes.length - 1;
    bytes[at] ^= file.endsWith(".json") ? ' ' ^ '\n' : 1; // still JSON
    Files.write(folder.resolve(file), bytes);
    assertThatThrownBy(() -> Checkpoint.open(folder))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining(file);
  }

  private static int lastIndexOf(byte[] bytes, char c) {
    int at = bytes.length - 1;
    while (bytes[at] != c) at--;
    return at;
  }

  @Test
  void aFlippedBitInTheMomentsIsFoundBeforeTheyAreUsed() throws IOException {
    byte[] bytes = Files.readAllBytes(folder.resolve("optimizer.safetensors"));
    bytes[bytes.length - 1] ^= 1;
    Files.write(folder.resolve("optimizer.safetensors"), bytes);
    try (Checkpoint saved = Checkpoint.open(folder);
        Optimizer optimizer =
            new Optimizer(saved.model().parameters(), Optimizer.Settings.STANDARD)) {
      assertThatThrownBy(() -> saved.restore(optimizer))
          .isInstanceOf(BadInput.class)
          .hasMessageContainingAll("optimizer.safetensors", "was changed since it was saved");
    }
  }

  @Test
  void missingAndExtraTensorsAreNamed() {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    try (Scope _ = new Scope();
        LanguageModel model = LanguageModel.create(Models.mixed(257), 1)) {
      model.parameters().forEach((name, p) -> tensors.put(name, p.value()));
      Tensor norm = tensors.remove("norm.weight");
      replaceWeights(tensors);
      refused("lacks the tensors [norm.weight]");

      tensors.put("norm.weight", norm == null ? torch.ones(16) : norm);
      tensors.put("norm.bias", torch.ones(16));
      replaceWeights(tensors);
      refused("has [norm.bias] besides");

      tensors.remove("norm.bias");
      tensors.put("norm.weight", torch.ones(13));
      replaceWeights(tensors);
      refused("norm.weight has shape [13]", "expected [16]");

      tensors.replaceAll((_, t) -> t.to(ScalarType.Int));
      replaceWeights(tensors);
      refused("types [I32]");
    }
  }

  @Test
  void weightsOfAnotherConfigurationAreRefused() throws IOException {
    edit("config.json", text -> text.replace("\"mlp\" : 13", "\"mlp\" : 12"));
    edit("checksums.json", text -> text.replace("\"config.json\"", "\"other\""));
    refused("mlp.gate_proj.weight has shape [13, 16]", "expected [12, 16]");
  }

  @Test
  void momentsOfAnotherModelAreRefused() {
    try (Checkpoint saved = Checkpoint.open(folder);
        LanguageModel other = LanguageModel.create(SmallPresets.named("mamba-tiny", 257), 1);
        Optimizer optimizer = new Optimizer(other.parameters(), Optimizer.Settings.STANDARD)) {
      assertThatThrownBy(() -> saved.restore(optimizer))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("optimizer.safetensors lacks the tensors");
    }
  }

  @Test
  void anotherTokenizerIsRefused() throws IOException {
    // A sound tokenizer with the same ids, but not this model's: two of its bytes are exchanged.
    edit(
        "tokenizer.json",
        text ->
            text.replace("\"a\" : 97", "\"a\" : X")
                .replace("\"b\" : 98", "\"b\" : 97")
                .replace("\"a\" : X", "\"a\" : 98"));
    refused("is another tokenizer", "Copy the tokenizer.json that was saved with the model");
  }

  @Test
  void aTokenizerLargerThanTheModelIsNotEvenSaved() {
    Path target = home.resolve("other");
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1)) {
      assertThatThrownBy(() -> Checkpoint.save(target, model, new ByteTokenizer()))
          .isInstanceOf(BadInput.class)
          .hasMessageContainingAll("257", "63");
    }
    assertThat(target).doesNotExist();
  }

  @Test
  void foldersWithoutAModelAreNamed() throws IOException {
    assertThatThrownBy(() -> Checkpoint.open(home.resolve("nowhere")))
        .isInstanceOf(BadInput.class)
        .hasMessageContainingAll("nowhere is no folder", "config.json");
    Path empty = Files.createDirectory(home.resolve("empty"));
    assertThatThrownBy(() -> Checkpoint.open(empty))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("empty holds no model");
    Files.delete(folder.resolve("model.safetensors"));
    refused("model.safetensors is missing", "Copy the whole folder anew");
  }

  @Test
  void aFullDiskLeavesTheOldModel() throws IOException {
    try (LanguageModel other = LanguageModel.create(Models.mixed(257), 2)) {
      assertThatThrownBy(() -> Checkpoint.save(folder, other, new FullDisk()))
          .isInstanceOf(BadInput.class)
          .hasMessageContainingAll("No space left on device", "Free some space");
      assertFirstModel();
    }
    try (Stream<Path> files = Files.list(home)) {
      assertThat(files).containsExactly(folder);
    }
  }

  @Test
  void aFolderWithOtherFilesIsNotReplaced() throws IOException {
    Path mine = Files.createDirectory(home.resolve("mine"));
    Files.writeString(mine.resolve("thesis.txt"), "42");
    try (LanguageModel model = LanguageModel.create(Models.mixed(257), 1)) {
      assertThatThrownBy(() -> Checkpoint.save(mine, model, null))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("thesis.txt");
    }
    assertThat(mine.resolve("thesis.txt")).hasContent("42");
  }

  @Test
  void aFolderThatCannotBeWrittenIsNamed() {
    // Nobody may make files among the processes, not even root, for whom permissions are nothing.
    Path locked = Path.of("/proc");
    assumeTrue(Files.isDirectory(locked));
    try (LanguageModel model = LanguageModel.create(Models.mixed(257), 1)) {
      assertThatThrownBy(() -> Checkpoint.save(locked.resolve("model"), model, null))
          .isInstanceOf(BadInput.class)
          .hasMessageContainingAll("/proc/model", "hoose another folder");
    }
  }

  private void refused(String... words) {
    assertThatThrownBy(() -> Checkpoint.open(folder))
        .isInstanceOf(BadInput.class)
        .hasMessageContainingAll(words);
  }

  private void assertFirstModel() {
    try (LanguageModel first = LanguageModel.create(Models.mixed(257), 1);
        Checkpoint saved = Checkpoint.open(folder)) {
      saved
          .model()
          .parameters()
          .forEach((name, p) ->
              assertThat(
                      p.value().equal(Objects.requireNonNull(first.parameters().get(name)).value()))
                  .as(name)
                  .isTrue());
    }
  }

  /** Other weights under the old name, as if they had been saved so. */
  private void replaceWeights(Map<String, Tensor> tensors) {
    Safetensors.write(folder.resolve("model.safetensors"), tensors, Map.of());
    try {
      edit("checksums.json", text -> text.replace("\"model.safetensors\"", "\"other\""));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private void edit(String file, UnaryOperator<String> change) throws IOException {
    Path path = folder.resolve(file);
    Files.writeString(path, change.apply(Files.readString(path)));
  }

  /** A byte tokenizer for which there is no more room. */
  private static final class FullDisk implements Tokenizer {
    private final ByteTokenizer bytes = new ByteTokenizer();

    @Override
    public void save(Path target) {
      throw FileTrouble.writing(target, new IOException("No space left on device"));
    }

    @Override
    public String name() {
      return bytes.name();
    }

    @Override
    public int vocabulary() {
      return bytes.vocabulary();
    }

    @Override
    public int endOfDocument() {
      return bytes.endOfDocument();
    }

    @Override
    public long fingerprint() {
      return bytes.fingerprint();
    }

    @Override
    public int[] encode(String text) {
      return bytes.encode(text);
    }

    @Override
    public String decode(int... ids) {
      return bytes.decode(ids);
    }

    @Override
    public StreamingDecoder streaming() {
      return bytes.streaming();
    }
  }
}
