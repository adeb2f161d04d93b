package org.bmojo.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bmojo.error.BadInput;
import org.bmojo.eval.Continuations.Request;
import org.bmojo.text.ByteTokenizer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BookNeedlesTest {
  private static final Pattern NEEDLE =
      Pattern.compile("\nThe number of the (\\w+ \\w+) is((?: \\d){5})\\.\n");

  private final ByteTokenizer bytes = new ByteTokenizer();
  private final List<int[]> hay =
      List.of(bytes.encode("a".repeat(500)), bytes.encode("b".repeat(2000)));

  @ParameterizedTest
  @CsvSource({"207,0,1", "207,1,1", "1000,0.5,3", "2300,0.25,8", "63,0.5,1"})
  void theAnswerStandsAtItsDepthAndNowhereElse(int length, double depth, int pairs) {
    for (long seed = 0; seed < 13; seed++) {
      int size = Math.max(length, 70 * pairs + 40);
      Request example = new BookNeedles(bytes, pairs).example(hay, size, depth, seed);
      String text = bytes.decode(example.context());
      assertThat(example.context()).hasSize(size);
      String answer = bytes.decode(example.continuation());
      String name = text.substring(text.lastIndexOf("the ") + 4, text.length() - 3);
      Matcher needles = NEEDLE.matcher(text);
      int found = 0, before = 0;
      boolean asked = false;
      while (needles.find()) {
        found++;
        if (!needles.group(1).equals(name)) continue;
        asked = true;
        before = hay(text.substring(0, needles.start()));
        assertThat(needles.group(2)).isEqualTo(answer);
      }
      assertThat(asked).isTrue();
      assertThat(found).isEqualTo(pairs);
      assertThat(before).isEqualTo((int) Math.round(depth * hay(text)));
    }
  }

  /** Characters of text, without needles, question and ends of documents. */
  private static int hay(String text) {
    String only =
        NEEDLE.matcher(text).replaceAll("").replaceAll("\nThe number of the \\w+ \\w+ is$", "");
    return only.length();
  }

  @Test
  void equalSeedsGiveEqualExamplesAndOthersOthers() {
    BookNeedles needles = new BookNeedles(bytes, 2);
    Request a = needles.example(hay, 500, 0.5, 1), b = needles.example(hay, 500, 0.5, 1);
    assertThat(a.context()).isEqualTo(b.context());
    assertThat(a.continuation()).isEqualTo(b.continuation());
    assertThat(needles.example(hay, 500, 0.5, 2).context()).isNotEqualTo(a.context());
  }

  @Test
  void aLessonTellsEachNeedleTwice() {
    String lesson = new BookNeedles(bytes, 3).lesson(hay, 1000, 1);
    assertThat(bytes.encode(lesson)).hasSize(1000);
    List<String> told = NEEDLE.matcher(lesson).results().map(MatchResult::group).toList();
    assertThat(told).hasSize(6);
    assertThat(told.subList(0, 3)).containsExactlyInAnyOrderElementsOf(told.subList(3, 6));
    assertThat(lesson).endsWith(String.join("", told.subList(3, 6)));
  }

  @Test
  void whatDoesNotFitIsRefused() {
    assertThatThrownBy(() -> new BookNeedles(bytes, 3).example(hay, 100, 0.5, 1))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("room for 3 needles");
    assertThatThrownBy(() -> new BookNeedles(bytes, 1).example(hay, 5000, 0.5, 1))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("text of");
    assertThatThrownBy(() -> new BookNeedles(bytes, 0)).isInstanceOf(BadInput.class);
  }
}
