package org.bmojo.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.bmojo.data.Document;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Batch;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.Models;
import org.bmojo.text.ByteTokenizer;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class TextScorerTest {
  private final ByteTokenizer bytes = new ByteTokenizer();

  /** Lengths around the window of 512, of several batches, in no order. */
  private static final int[] LENGTHS = {
    13, 600, 1, 207, 512, 511, 63, 513, 2, 1025, 13, 12, 11, 10, 9, 8, 7, 6, 5
  };

  @Test
  void documentsAreScoredWholeAndAlone() {
    try (LanguageModel model = LanguageModel.create(Models.mixed(257), 1, ScalarType.Double)) {
      TextScorer together = new TextScorer(model, bytes);
      double nats = 0;
      long tokens = 0;
      for (int i = 0; i < LENGTHS.length; i++) {
        String text = text(LENGTHS[i], i);
        together.add(Document.of("d" + i, text));
        nats += nats(model, text);
        tokens += LENGTHS[i];
      }
      TextScore score = together.score();
      assertThat(score.nats()).isEqualTo(nats, within(1e-8 * nats));
      assertThat(score.tokens()).isEqualTo(tokens);
      assertThat(score.bytes()).isEqualTo(tokens);
      assertThat(score.documents()).isEqualTo(LENGTHS.length);
      assertThat(score.bitsPerByte()).isEqualTo(nats / tokens / Math.log(2), within(1e-9));
      assertThat(score.perplexity()).isEqualTo(Math.exp(nats / tokens), within(1e-6));
    }
  }

  @Test
  void theLimitCutsTheLastDocument() {
    try (LanguageModel model = LanguageModel.create(Models.mixed(257), 1, ScalarType.Double)) {
      TextScorer scorer = new TextScorer(model, bytes, 70);
      scorer.add(Document.of("a", text(63, 1)));
      assertThat(scorer.full()).isFalse();
      scorer.add(Document.of("b", text(63, 2)));
      assertThat(scorer.full()).isTrue();
      scorer.add(Document.of("c", text(63, 3)));
      double expected = nats(model, text(63, 1)) + nats(model, text(63, 2).substring(0, 7));
      TextScore score = scorer.score();
      assertThat(score.nats()).isEqualTo(expected, within(1e-8));
      assertThat(score.tokens()).isEqualTo(70);
      assertThat(score.bytes()).isEqualTo(70);
      assertThat(score.documents()).isEqualTo(2);
    }
  }

  @Test
  void bytesAreThoseOfUtf8() {
    try (LanguageModel model = LanguageModel.create(Models.mixed(257), 1)) {
      TextScorer scorer = new TextScorer(model, bytes);
      scorer.add(Document.of("a", "äöü€"));
      assertThat(scorer.score().bytes()).isEqualTo(9);
    }
  }

  @Test
  void nothingToScoreAndAForeignTokenizerAreRefused() {
    try (LanguageModel model = LanguageModel.create(Models.mixed(257), 1)) {
      assertThatThrownBy(() -> new TextScorer(model, bytes).score())
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("no tokens to score");
    }
    try (LanguageModel model = LanguageModel.create(Models.mixed(63), 1)) {
      assertThatThrownBy(() -> new TextScorer(model, bytes))
          .isInstanceOf(BadInput.class)
          .hasMessageContaining("tokenizer bytes-257 has 257 ids, the model 63");
    }
  }

  /** In one piece: the end of a document in front, then all but the last byte. */
  private double nats(LanguageModel model, String text) {
    int[] tokens = bytes.encode(text);
    long[] ids = new long[tokens.length];
    long[] targets = new long[tokens.length];
    for (int i = 0; i < tokens.length; i++) {
      ids[i] = i == 0 ? bytes.endOfDocument() : tokens[i - 1];
      targets[i] = tokens[i];
    }
    try (Scope _ = new Scope()) {
      return model.losses(Batch.of(ids, targets, 1), null).sum().item_double();
    }
  }

  private static String text(int length, long seed) {
    StringBuilder text = new StringBuilder();
    new SplittableRandom(seed).ints(length, 'a', 'z' + 1).forEach(text::appendCodePoint);
    return text.toString();
  }
}
