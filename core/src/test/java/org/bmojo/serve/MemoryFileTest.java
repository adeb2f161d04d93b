package org.bmojo.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.bmojo.checkpoint.TensorBytes;
import org.bmojo.error.BadInput;
import org.bmojo.generate.Decoding;
import org.bmojo.kernels.contract.Close;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Tensors;
import org.bmojo.model.Ids;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelState;
import org.bmojo.model.Models;
import org.bmojo.model.TinyModels;
import org.bmojo.serve.Generation.Token;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class MemoryFileTest {
  @TempDir Path folder;

  private LanguageModel model;
  private Engine engine;

  @BeforeEach
  void start() {
    model = LanguageModel.create(Models.mixed(63), 1);
    engine = new Engine(model, EngineSettings.standard());
  }

  @AfterEach
  void end() {
    engine.close();
    model.close();
  }

  static Stream<String> names() {
    return TinyModels.all().keySet().stream();
  }

  @ParameterizedTest
  @MethodSource("names")
  void whatWasSavedGoesOnTheSame(String name) throws Exception {
    var config = Objects.requireNonNull(TinyModels.all().get(name));
    try (LanguageModel own = TinyModels.model(config, 1, ScalarType.Float);
        LanguageModel twin = TinyModels.model(config, 1, ScalarType.Float);
        Engine first = new Engine(own, EngineSettings.standard());
        Engine second = new Engine(twin, EngineSettings.standard());
        Memory memory = memory(first, 33, TinyModels.VOCABULARY)) {
      Path file = folder.resolve("mem.bm");
      new MemoryFile(own).save(file, memory);
      try (Memory loaded = new MemoryFile(twin).load(file)) {
        assertThat(loaded.ids()).isEqualTo(memory.ids());
        assertThat(loaded.length()).isEqualTo(33);
        assertThat(answer(second, loaded)).isEqualTo(answer(first, memory));
        logitsAgree(own, memory, loaded);
        // What was rounded once is not rounded again.
        assertThat(new MemoryFile(twin).toBytes(loaded)).isEqualTo(Files.readAllBytes(file));
      }
      assertThat(new MemoryFile(own).toBytes(memory)).isEqualTo(Files.readAllBytes(file));
    }
  }

  /** Keys and values have 8 bits behind the point, so logits are off by a part of 2⁻⁸. */
  private static void logitsAgree(LanguageModel model, Memory saved, Memory loaded) {
    try (Scope _ = new Scope();
        ModelState a = saved.copyState();
        ModelState b = loaded.copyState()) {
      for (int t = 0; t < 20; t++) {
        Tensor id = Ids.tensor(new int[] {t % TinyModels.VOCABULARY});
        Close.assertWithin("token " + t, model.step(id, b), model.step(id, a), 0.01);
      }
    }
  }

  @Test
  void everyChangedByteIsNoticed() throws Exception {
    MemoryFile files = new MemoryFile(model);
    byte[] good = bytes(files);
    SplittableRandom random = new SplittableRandom(1);
    for (int i = 0; i < 200; i++) {
      byte[] bad = good.clone();
      int at = i < 24 ? i : random.nextInt(bad.length);
      bad[at] ^= (byte) (1 << random.nextInt(8));
      assertThatThrownBy(() -> files.fromBytes(bad, "m"))
          .as("byte %d", at)
          .isInstanceOf(BadInput.class);
    }
  }

  @Test
  void everyLengthIsNoticed() throws Exception {
    MemoryFile files = new MemoryFile(model);
    byte[] good = bytes(files);
    for (int length : new int[] {0, 1, 7, 8, 23, 24, 63, good.length - 1, good.length + 1}) {
      refused(() -> files.fromBytes(Arrays.copyOf(good, length), "m.bm"), "m.bm");
    }
    refused(() -> files.fromBytes(Arrays.copyOf(good, 207), "m.bm"), "cut off");
    refused(
        () -> files.fromBytes("{\"no\": \"memory\"}".getBytes(StandardCharsets.US_ASCII), "m.bm"),
        "is no memory");
  }

  @Test
  void aNewerVersionAndAnotherModelSayWhy() throws Exception {
    MemoryFile files = new MemoryFile(model);
    byte[] newer = bytes(files);
    newer[8] = 3;
    refused(() -> files.fromBytes(newer, "m"), "format version 3; expected 2");
    newer[8] = 1;
    refused(() -> files.fromBytes(newer, "m"), "format version 1; expected 2");
    try (LanguageModel seed = LanguageModel.create(Models.mixed(63), 2);
        LanguageModel type = LanguageModel.create(Models.mixed(63), 1, ScalarType.BFloat16);
        LanguageModel same = LanguageModel.create(Models.mixed(63), 1)) {
      byte[] good = bytes(files);
      assertThat(new MemoryFile(same).fingerprint()).isEqualTo(files.fingerprint());
      refused(() -> new MemoryFile(seed).fromBytes(good, "m"), "other weights");
      refused(() -> new MemoryFile(type).fromBytes(good, "m"), "other weights");
    }
  }

  /** Whoever can compute a checksum can write a file that is sound and means nothing. */
  @Test
  void soundFilesThatMeanNothingAreRefused() throws Exception {
    MemoryFile files = new MemoryFile(model);
    try (Scope _ = new Scope();
        Memory memory = memory(engine, 9, 63)) {
      byte[] body = written(memory.state().tensors(), Map.of());
      refused(() -> files.fromBytes(framed(body), "m"), "made by model null");
      byte[] noIds =
          written(
              Map.of("pending", Tensors.of(new double[] {1})),
              Map.of("model", files.fingerprint(), "position", "3"));
      refused(() -> files.fromBytes(framed(noIds), "m"), "lacks its ids");
      var ids = Tensors.of(new double[] {63}).to(ScalarType.Int);
      byte[] foreign =
          written(
              Map.of("pending", ids, "ids", ids),
              Map.of("model", files.fingerprint(), "position", "3"));
      refused(() -> files.fromBytes(framed(foreign), "m"), "ids from 63 to 63");
      var one = Tensors.of(new double[] {1}).to(ScalarType.Int);
      byte[] stateless =
          written(
              Map.of("pending", one, "ids", one),
              Map.of("model", files.fingerprint(), "position", "-3"));
      refused(() -> files.fromBytes(framed(stateless), "m"), "position -3");
    }
  }

  private static byte[] written(Map<String, Tensor> tensors, Map<String, String> metadata)
      throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    TensorBytes.write(Channels.newChannel(bytes), tensors, metadata);
    return bytes.toByteArray();
  }

  private static byte[] framed(byte[] body) {
    CRC32C piece = new CRC32C(), crc = new CRC32C();
    piece.update(body); // less than a megabyte
    long sum = piece.getValue();
    for (int shift = 0; shift < 32; shift += 8) crc.update((int) (sum >>> shift));
    return ByteBuffer.allocate(24 + body.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .put("BMOJOMEM".getBytes(StandardCharsets.US_ASCII))
        .putInt(2)
        .putInt((int) crc.getValue())
        .putLong(body.length)
        .put(body)
        .array();
  }

  @Test
  void aFailedSaveLeavesTheOldFile() throws IOException, InterruptedException {
    Path file = folder.resolve("mem.bm");
    MemoryFile files = new MemoryFile(model);
    try (Memory memory = memory(engine, 9, 63)) {
      files.save(file, memory);
      byte[] before = Files.readAllBytes(file);
      refused(() -> files.save(folder.resolve("no/such/folder.bm"), memory), "not be written");
      refused(() -> files.save(folder, memory), "is a folder");
      assertThat(file).hasBinaryContent(before);
    }
    refused(() -> files.load(folder.resolve("none.bm")), "does not exist");
    try (Stream<Path> left = Files.list(folder)) {
      assertThat(left.toList()).containsExactly(file);
    }
  }

  @Test
  void aMemoryIsFreedByItsLastHolder() throws Exception {
    Memory memory = memory(engine, 9, 63);
    Memory other = memory.share();
    memory.close();
    memory.close();
    refused(memory::share, "was closed");
    assertThat(answer(engine, other)).isNotEmpty();
    other.close();
    refused(other::state, "was closed");
  }

  private byte[] bytes(MemoryFile files) throws InterruptedException {
    try (Memory memory = memory(engine, 33, 63)) {
      return files.toBytes(memory);
    }
  }

  private static Memory memory(Engine engine, int tokens, int vocabulary)
      throws InterruptedException {
    int[] ids = new SplittableRandom(tokens).ints(tokens, 0, vocabulary).toArray();
    try (Generation generation = engine.submit(Request.remember(ids))) {
      return Objects.requireNonNull(generation.await().memory()).share();
    }
  }

  private static List<Integer> answer(Engine engine, Memory memory) throws InterruptedException {
    Request request = Request.of(new int[] {1, 2}, 9, Decoding.random(1, 0, 1, 3));
    List<Integer> ids = new ArrayList<>();
    try (Generation generation = engine.submit(request.after(memory))) {
      for (Token t = generation.next(); t != null; t = generation.next()) ids.add(t.id());
    }
    return ids;
  }

  private static void refused(Runnable action, String words) {
    assertThatThrownBy(action::run).isInstanceOf(BadInput.class).hasMessageContaining(words);
  }
}
