package org.bmojo.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsTest {
  @TempDir Path folder = Path.of("");
  private final Scope scope = new Scope();

  @AfterEach
  void free() {
    scope.close();
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void everyTypeAndShapeComesBackAsItWas(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    long[] sizes = {0, 1, 2, 13, 63, 207};
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (Dtype dtype : Dtype.values()) {
      for (int rank = 0; rank < 4; rank++) {
        long[] shape = new long[rank];
        for (int i = 0; i < rank; i++) shape[i] = sizes[random.nextInt(rank < 3 ? 6 : 4)];
        tensors.put("layer.%s.%d \"é\"".formatted(dtype, rank), random(shape, dtype));
      }
    }
    Map<String, String> metadata = Map.of("step", "12", "text", "ü\n\"");
    Path file = folder.resolve("w.safetensors");
    Safetensors.write(file, tensors, metadata);
    try (Safetensors saved = Safetensors.open(file)) {
      assertThat(saved.names()).containsExactlyInAnyOrderElementsOf(tensors.keySet());
      assertThat(saved.metadata()).isEqualTo(metadata);
      tensors.forEach((name, tensor) -> {
        Tensor back = saved.tensor(name);
        assertThat(back.scalar_type().intern()).isEqualTo(tensor.scalar_type().intern());
        assertThat(back.shape()).as(name).isEqualTo(tensor.shape());
        assertThat(torch.equal(back, tensor)).as(name).isTrue();
      });
    }
  }

  @Test
  void theBytesDependOnNamesAndTypesOnlyAndAreAligned() throws IOException {
    Tensor a = random(new long[] {3}, Dtype.U8);
    Tensor b = random(new long[] {5, 7}, Dtype.F64);
    Map<String, Tensor> forward = new LinkedHashMap<>(Map.of("a", a));
    forward.put("b", b);
    Map<String, Tensor> backward = new LinkedHashMap<>(Map.of("b", b));
    backward.put("a", a);
    Safetensors.write(folder.resolve("1"), forward, Map.of());
    Safetensors.write(folder.resolve("2"), backward, Map.of());
    byte[] bytes = Files.readAllBytes(folder.resolve("1"));
    assertThat(folder.resolve("2")).hasBinaryContent(bytes);
    assertThat(bytes[0] % 8).isZero();
    try (Safetensors saved = Safetensors.open(folder.resolve("1"))) {
      assertThat(saved.entries()).extracting(TensorEntry::name).containsExactly("b", "a");
    }
  }

  @Test
  void stridesAreFlattenedAndGradientsLeftBehind() {
    Tensor t = random(new long[] {13, 7}, Dtype.F32);
    t.requires_grad_(true);
    Path file = folder.resolve("t");
    Safetensors.write(file, Map.of("t", t.t()), Map.of());
    try (Safetensors saved = Safetensors.open(file)) {
      assertThat(saved.entry("t").shape()).containsExactly(7L, 13L);
      assertThat(torch.equal(saved.tensor("t"), t.t())).isTrue();
    }
  }

  /** The mapping goes when the file is closed and the last view is freed, not before. */
  @Test
  void viewsOutliveTheFile() {
    Tensor t = random(new long[] {1 << 20}, Dtype.I64);
    Path file = folder.resolve("t");
    Safetensors.write(file, Map.of("t", t), Map.of());
    Tensor view;
    Safetensors saved = Safetensors.open(file);
    try (Scope inner = new Scope()) {
      view = inner.keep(saved.tensor("t").slice(0, opt(100), opt(200), 1));
      saved.close();
      saved.close();
    }
    assertThat(torch.equal(view, t.slice(0, opt(100), opt(200), 1))).isTrue();
    if (Files.exists(Path.of("/proc/self/maps"))) {
      assertThat(mapped(file)).isTrue();
      view.close();
      assertThat(mapped(file)).isFalse();
    }
    assertThatThrownBy(() -> saved.tensor("t")).isInstanceOf(IllegalStateException.class);
  }

  /** Other writers do not sort by element size, so data may begin anywhere. */
  @ParameterizedTest
  @EnumSource(Dtype.class)
  void misalignedDataIsCopied(Dtype dtype) throws IOException {
    int n = dtype.bytes();
    String header =
        """
        {"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},\
        "b":{"dtype":"%s","shape":[2],"data_offsets":[1,%d]}}\
        """
            .formatted(dtype, 1 + 2 * n);
    byte[] data = new byte[1 + 2 * n];
    data[1 + n] = 1;
    Path file = RawFile.write(folder.resolve("m"), header, data);
    try (Safetensors saved = Safetensors.open(file)) {
      Tensor b = saved.tensor("b").view(torch.ScalarType.Byte);
      for (int i = 0; i < 2 * n; i++) {
        assertThat((int) b.select(0, i).item_byte()).isEqualTo(i == n ? 1 : 0);
      }
    }
  }

  @Test
  void copyingConvertsTypesAndRefusesOtherShapes() {
    Tensor t = random(new long[] {13}, Dtype.F32);
    Path file = folder.resolve("t");
    Safetensors.write(file, Map.of("t", t), Map.of());
    try (Safetensors saved = Safetensors.open(file)) {
      Tensor target = torch.zeros(new long[] {13}, new TensorOptions(Dtype.F64.torch()));
      target.requires_grad_(true);
      saved.copyInto("t", target);
      assertThat(torch.equal(target, t.to(Dtype.F64.torch()))).isTrue();
      assertThatThrownBy(() -> saved.copyInto("t", torch.zeros(13, 1)))
          .isInstanceOf(BadInput.class)
          .hasMessageContainingAll("t", "[13]", "[13, 1]");
      assertThatThrownBy(() -> saved.copyInto("u", target))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("no tensor u");
    }
  }

  /** Made by the reference library: tensors of every shape a small model has. */
  @Test
  void readsWhatTheReferenceLibraryWrote() throws URISyntaxException {
    var url = SafetensorsTest.class.getResource("reference.safetensors");
    assertThat(url).isNotNull();
    try (Safetensors saved = Safetensors.open(Path.of(url.toURI()))) {
      assertThat(saved.names()).isNotEmpty();
      Path again = folder.resolve("again");
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      saved.names().forEach(n -> tensors.put(n, saved.tensor(n)));
      Safetensors.write(again, tensors, saved.metadata());
      assertThat(again).hasBinaryContent(bytes(Path.of(url.toURI())));
    }
  }

  @Test
  void noTensorsAtAllIsAFileToo() {
    Path file = folder.resolve("none");
    Safetensors.write(file, Map.of(), Map.of("a", "b"));
    try (Safetensors saved = Safetensors.open(file)) {
      assertThat(saved.names()).isEmpty();
      assertThat(saved.metadata()).containsEntry("a", "b");
    }
  }

  private static Tensor random(long[] shape, Dtype dtype) {
    Tensor t = torch.randn(shape).mul(new Scalar(50.0));
    return dtype == Dtype.BOOL ? t.gt(new Scalar(0.0)) : t.to(dtype.torch());
  }

  private static LongOptional opt(long value) {
    return new LongOptional(value);
  }

  private static byte[] bytes(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean mapped(Path file) {
    try {
      List<String> maps = Files.readAllLines(Path.of("/proc/self/maps"));
      return maps.stream().anyMatch(line -> line.endsWith(file.toString()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
