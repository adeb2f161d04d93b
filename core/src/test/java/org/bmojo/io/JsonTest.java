package org.bmojo.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bmojo.error.BadInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JsonTest {
  @TempDir Path folder = Path.of("");

  record Size(int width, String name) {
    Size {
      if (width < 1) throw new BadInput("width " + width, "expected at least 1", "Correct it");
    }
  }

  @Test
  void aRecordComesBackAsItWas() throws IOException {
    Size size = new Size(13, "ü");
    Path file = Files.write(folder.resolve("c.json"), Json.bytes(size));
    assertThat(Json.read(file, Size.class)).isEqualTo(size);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{\"width\":1,\"hight\":2} | hight",
        "{\"width\":1,\"width\":1} | uplicate",
        "{\"width\":null} | null",
        "{\"width\":\"wide\"} | wide",
        "{\"width\":1} {} | c.json",
        "{\"width\":1 | in line 1",
        "{\"width\":0,\"name\":\"a\"} | width 0; expected at least 1",
        "`` | c.json",
      })
  void whatIsWrongIsNamed(String json, String message) throws IOException {
    Path file = Files.writeString(folder.resolve("c.json"), json);
    assertThatThrownBy(() -> Json.read(file, Size.class))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining(message);
  }
}
