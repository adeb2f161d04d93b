package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Objects;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@link PackedDocumentsTest} on a GPU, with heads and rows that its kernels serve. */
@Tag("gpu")
class CudaPackedDocumentsTest {
  private static final int[] STARTS = {0, 1, 2, 77, 128, 129, 260};
  private static final int TOKENS = 307, VOCABULARY = 64;
  private static final PackedRow ROW = new PackedRow(STARTS, TOKENS, VOCABULARY);

  @ParameterizedTest
  @CsvSource({
    "bmojo-tiny, bf16",
    "bmojo-small, bf16",
    "bmojo-f-tiny, bf16",
    "mamba-tiny, bf16",
    "hybrid-tiny, bf16",
    "sliding-tiny, bf16",
    "transformer-tiny, bf16",
    "bmojo-tiny, fp32",
  })
  void documentsKnowNothingOfEachOther(String name, String precision) {
    try (Scope _ = new Scope();
        LanguageModel model = LanguageModel.create(SmallPresets.named(name, VOCABULARY), 1)) {
      model.place(Placement.of("cuda", precision), true);
      ROW.assertNoLogitDependsOnAnotherDocument(model);
      for (int d = 1; d < STARTS.length; d++) {
        assertThat(strangersGradient(model, d)).as("gradient, document " + d).isZero();
      }
    }
  }

  /** How many embeddings of ids that occur in other documents only get a gradient. */
  private static long strangersGradient(LanguageModel model, int document) {
    int from = STARTS[document], count = ROW.end(document) - from;
    long[] ids = Arrays.stream(ROW.ids(3)).map(id -> id % 32).toArray();
    for (int t = from; t < ROW.end(document); t++) ids[t] += 32;
    try (Tape tape = Tape.recording()) {
      Var hidden = model.hidden(tape, PackedRow.row(ids), ROW.begin(), null);
      Var sum = TorchFunction.apply(tape, t -> t[0].narrow(1, from, count).square().sum(), hidden);
      tape.backward(sum, 1);
    }
    var embedding = Objects.requireNonNull(model.parameters().get("embed_tokens.weight"));
    Tensor gradient = Objects.requireNonNull(embedding.gradient());
    long strangers = gradient.narrow(0, 0, 32).count_nonzero().item_long();
    assertThat(gradient.narrow(0, 32, 32).count_nonzero().item_long()).isPositive();
    model.parameters().values().forEach(p -> p.clearGradient());
    return strangers;
  }
}
