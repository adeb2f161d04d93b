package org.bmojo.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.bmojo.error.BadInput;
import org.bmojo.eval.Continuations.Likelihood;
import org.bmojo.eval.Continuations.Request;
import org.bmojo.eval.LikelihoodTask.Choice;
import org.bmojo.eval.LikelihoodTask.Item;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.Models;
import org.bmojo.text.ByteTokenizer;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.json.JsonMapper;

/** Hand-made rows in the data sets' forms, with answers worked out by hand. */
class TaskScorerTest {
  private final ByteTokenizer bytes = new ByteTokenizer();

  private static Item item(LikelihoodTask task, String json) {
    return task.item(JsonMapper.builder().build().readTree(json));
  }

  @Test
  void lambadaAsksForTheLastWord() {
    Item item = item(LikelihoodTask.LAMBADA, "{\"text\": \"He gave her the ring\"}");
    assertThat(item.choices()).containsExactly(new Choice("He gave her the", " ring", ""));
  }

  @Test
  void hellaswagIsCleanedAndCapitalised() {
    String row =
        """
        {"activity_label": "Baking", "ctx_a": "A man [header] stands.", "ctx_b": "then HE",
         "endings": ["sings. [step] Loudly", "goes  home", " falls [title] Up", "eats"], "label": "2"}
        """;
    Item item = item(LikelihoodTask.HELLASWAG, row);
    assertThat(item.gold()).isEqualTo(2);
    assertThat(item.choices().getFirst().context()).isEqualTo("Baking: A man stands. Then he");
    assertThat(item.choices().stream().map(Choice::continuation))
        .containsExactly(" sings. Loudly", " goes home", " falls. Up", " eats");
  }

  @Test
  void questionsHaveTheirForm() {
    Item piqa =
        item(
            LikelihoodTask.PIQA,
            "{\"goal\":\"Boil\",\"sol1\":\"heat\",\"sol2\":\"cool\",\"label\":0}");
    assertThat(piqa.choices())
        .containsExactly(
            new Choice("Question: Boil\nAnswer:", " heat", "heat"),
            new Choice("Question: Boil\nAnswer:", " cool", "cool"));
    String arc =
        """
        {"question": "Why?", "choices": {"text": ["so", "not so", "never"], "label": ["1", "2", "3"]},
         "answerKey": "3"}
        """;
    assertThat(item(LikelihoodTask.ARC, arc).gold()).isEqualTo(2);
    String grande =
        """
        {"sentence": "The cup broke the table, as _ was heavy .", "option1": "the cup",
         "option2": "the table", "answer": "1"}
        """;
    assertThat(item(LikelihoodTask.WINOGRANDE, grande).choices())
        .containsExactly(
            new Choice("The cup broke the table, as the cup", " was heavy .", "was heavy ."),
            new Choice("The cup broke the table, as the table", " was heavy .", "was heavy ."));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "PIQA | {\"goal\":\"g\",\"sol1\":\"a\",\"label\":0} | no sol2",
        "PIQA | {\"goal\":\"g\",\"sol1\":\"a\",\"sol2\":\"b\",\"label\":2} | an answer 2",
        "PIQA | {\"goal\":\"g\",\"sol1\":\"a\",\"sol2\":\"b\",\"label\":\"\"} | label",
        "ARC |"
            + " {\"question\":\"q\",\"choices\":{\"text\":[\"a\"],\"label\":[\"A\"]},\"answerKey\":\"B\"}"
            + " | an answer -1",
        "WINOGRANDE | {\"sentence\":\"no gap\"} | without _",
        "LAMBADA | {\"text\":\"word\"} | one word"
      })
  void rowsThatAreNoneAreRefused(LikelihoodTask task, String row, String words) {
    assertThatThrownBy(() -> item(task, row))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining(words);
  }

  /** Sums −6, −7, −9; characters 2, 7, 3; bytes 2, 14, 3: each norm has another winner. */
  @Test
  void normsChooseOtherAnswersAndTiesGoToTheFirst() {
    Item item = Item.of("c", List.of("ab", "ééééééé", "abc"), 1);
    List<Likelihood> sums = List.of(nats(-6), nats(-7), nats(-9));
    Item tied = Item.of("c", List.of("aa", "bb"), 0);
    List<Likelihood> equal = List.of(nats(-3), nats(-3));
    TaskScore score =
        TaskScore.of(LikelihoodTask.ARC, List.of(item, tied, tied), List.of(sums, equal, equal));
    assertThat(score.accuracy()).isEqualTo(2.0 / 3);
    assertThat(score.normalised()).isEqualTo(1);
    assertThat(score.byBytes()).isEqualTo(1);
    // Of 0, 1, 1: deviation √(1/3), over √3.
    assertThat(score.accuracyError()).isEqualTo(1.0 / 3, within(1e-12));
    assertThat(score.normalisedError()).isZero();
    assertThat(score.perplexity()).isNull();
  }

  @Test
  void aClozeIsRightWhereTheModelWouldWriteIt() {
    Item item = item(LikelihoodTask.LAMBADA, "{\"text\": \"a b\"}");
    TaskScore score =
        TaskScore.of(
            LikelihoodTask.LAMBADA,
            List.of(item, item),
            List.of(List.of(new Likelihood(-1, 2, 2)), List.of(new Likelihood(-2, 1, 2))));
    assertThat(score.accuracy()).isEqualTo(0.5);
    assertThat(score.perplexity()).isEqualTo(Math.exp(1.5), within(1e-12));
    assertThat(score.normalised()).isNull();
  }

  @Test
  void requestsAreCutOnTheLeftAndSpacesMove() {
    try (LanguageModel model = LanguageModel.create(Models.mixed(257), 1, ScalarType.Double)) {
      var reader = new SideBySide(model, 2, Long.MAX_VALUE);
      var scorer = new TaskScorer(new Continuations(reader, 256), bytes, 7);
      Request request = scorer.request(new Choice("what is it  ", "good", "good"));
      assertThat(bytes.decode(request.continuation())).isEqualTo("  good");
      // Seven tokens are read and one more is predicted.
      assertThat(bytes.decode(request.context())).isEqualTo("it");
      assertThat(scorer.request(new Choice("", "good", "good")).context()).isEmpty();
      Item item = Item.of("Question:", List.of("yes", "no"), 0);
      TaskScore score = scorer.score(LikelihoodTask.PIQA, List.of(item), n -> {});
      assertThat(score.items()).isEqualTo(1);
      assertThatThrownBy(() -> scorer.score(LikelihoodTask.PIQA, List.of(), n -> {}))
          .isInstanceOf(BadInput.class);
    }
  }

  private static Likelihood nats(double sum) {
    return new Likelihood(sum, 0, 1);
  }
}
