package org.bmojo.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every way in which a file can lie about itself is told apart, before a tensor is made. */
class MalformedSafetensorsTest {
  private static final String A = "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}";

  @TempDir Path folder = Path.of("");

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "8 | {\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]} | not the JSON"
            + " expected",
        "8 | {\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}} x | not the JSON",
        "8 | [] | no JSON object",
        "8 | 7 | no JSON object",
        "8 | {\"a\":[]} | expected an object with dtype, shape and data_offsets",
        "8 | {\"a\":{\"dtype\":\"F32\",\"shape\":[2]}} | expected an object with dtype, shape",
        "8 | {\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}} | expected an"
            + " obj",
        "8 | {\"a\":{\"dtype\":\"F8\",\"shape\":[8],\"data_offsets\":[0,8]}} | has dtype \"F8\"",
        "8 | {\"a\":{\"dtype\":4,\"shape\":[8],\"data_offsets\":[0,8]}} | has dtype 4",
        "8 | {\"a\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,8]}} | 8 bytes; expected"
            + " 16",
        "8 | {\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}} | 8 bytes; expected"
            + " 12",
        "8 | {\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}} | has shape [-2]",
        "8 | {\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}} | has shape [2.0]",
        "8 | {\"a\":{\"dtype\":\"F32\",\"shape\":\"2\",\"data_offsets\":[0,8]}} | has shape \"2\"",
        "8 | {\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,8]}} |"
            + " shape",
        "8 | {\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}} |"
            + " 2^63",
        "8 | {\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}} | data_offsets"
            + " [-8,0]",
        "8 | {\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}} | begin ≤ end ≤ 8",
        "8 | {\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}} | begin ≤ end ≤ 8",
        "8 | {\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}} | begin ≤ end ≤ 8",
        "8 | {\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,1e30]}} | data_offsets"
            + " [0,1",
        "8 | {\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,9223372036854775807]}} | ≤"
            + " 8",
        "4 | {\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}} | begin ≤ end ≤ 4",
        "12 | {\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}} | has 12 bytes"
            + " after",
        "12 | {\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}} | comes after a"
            + " gap",
        "0 | {\"__metadata__\":[]} | __metadata__ is []",
        "0 | {\"__metadata__\":{\"a\":1}} | expected a string",
      })
  void eachLieInTheHeader(int dataBytes, String header, String message) throws IOException {
    Path file = RawFile.write(folder.resolve("x.safetensors"), header, new byte[dataBytes]);
    refuses(file, message);
  }

  @Test
  void twoTensorsMayNeitherOverlapNorLeaveAGap() throws IOException {
    for (int begin : new int[] {0, 4, 7, 9, 12}) {
      String b =
          "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[%d,%d]}"
              .formatted(begin, begin + 4);
      Path file = RawFile.write(folder.resolve("x"), "{" + A + "," + b + "}", new byte[16]);
      refuses(file, begin < 8 ? "overlaps" : "gap");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", ",\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[8,8]}"})
  void aKeyMayBeThereOnceOnly(String between) throws IOException {
    refuses(
        RawFile.write(folder.resolve("x"), "{" + A + between + "," + A + "}", new byte[8]),
        "uplicate");
  }

  @Test
  void theHeadersLengthIsBelievedOnlyIfItFits() throws IOException {
    byte[] json = "{}".getBytes(StandardCharsets.UTF_8);
    for (long length : new long[] {3, 1L << 20, Long.MAX_VALUE, Long.MIN_VALUE, -1}) {
      refuses(
          RawFile.write(folder.resolve("x"), length, json, new byte[0]),
          "announces a header of " + Long.toUnsignedString(length));
    }
    refuses(RawFile.write(folder.resolve("x"), 0, json, new byte[0]), "header");
  }

  @Test
  void everyTruncationIsNoticed() throws IOException {
    Path whole = RawFile.write(folder.resolve("whole"), "{" + A + "}  ", new byte[8]);
    byte[] bytes = Files.readAllBytes(whole);
    for (int n = 0; n < bytes.length; n++) {
      refuses(Files.write(folder.resolve("x"), Arrays.copyOf(bytes, n)), "x");
    }
  }

  /** Random damage is refused or harmless; it never reaches memory beyond the file. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void randomDamageNeverEscapesTheFile(long seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    byte[] bytes =
        Files.readAllBytes(RawFile.write(folder.resolve("w"), "{" + A + "}", new byte[8]));
    for (int i = 0; i < 500; i++) {
      byte[] damaged = bytes.clone();
      for (int k = random.nextInt(1, 4); k > 0; k--) {
        damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(32, 127);
      }
      Path file = Files.write(folder.resolve("x"), damaged);
      try (Scope _ = new Scope();
          Safetensors saved = Safetensors.open(file)) {
        for (String name : saved.names()) {
          assertThat(saved.tensor(name).nbytes()).isLessThanOrEqualTo(8);
        }
      } catch (BadInput expected) {
        assertThat(expected).hasMessageContaining("x");
      }
    }
  }

  @Test
  void aBooleanIsZeroOrOne() throws IOException {
    String header = "{\"a\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[0,3]}}";
    try (Safetensors saved =
        Safetensors.open(RawFile.write(folder.resolve("x"), header, new byte[] {0, 1, 2}))) {
      assertThatThrownBy(() -> saved.tensor("a"))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("has the byte 2 at 2");
    }
  }

  @Test
  void whatIsNoFileIsRefused() {
    refuses(folder.resolve("absent.safetensors"), "does not exist");
    refuses(folder, "holds no weights");
  }

  private static void refuses(Path file, String message) {
    assertThatThrownBy(() -> Safetensors.open(file).close())
        .isInstanceOf(BadInput.class)
        .hasMessageContaining(message);
  }
}
