package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bmojo.kernels.contract.Close.assertSame;

import java.util.Arrays;
import java.util.Objects;
import java.util.SplittableRandom;
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
      long[] ids = ids(1);
      Tensor packed = model.logits(row(ids), begin(), null).cpu();
      for (int d = 0; d < STARTS.length; d++) {
        int from = STARTS[d], count = end(d) - from;
        long[] others = ids(2);
        System.arraycopy(ids, from, others, from, count);
        Tensor again = model.logits(row(others), begin(), null).cpu();
        assertSame("document " + d, part(again, from, count), part(packed, from, count));
        if (d == 0) continue;
        Tensor joined = part(model.logits(row(ids), null).cpu(), from, count);
        Tensor leaked = part(model.logits(row(others), null).cpu(), from, count);
        assertThat(leaked.equal(joined)).as("joined, document " + d).isFalse();
        assertThat(strangersGradient(model, d)).as("gradient, document " + d).isZero();
      }
    }
  }

  /** How many embeddings of ids that occur in other documents only get a gradient. */
  private static long strangersGradient(LanguageModel model, int document) {
    int from = STARTS[document], count = end(document) - from;
    long[] ids = Arrays.stream(ids(3)).map(id -> id % 32).toArray();
    for (int t = from; t < end(document); t++) ids[t] += 32;
    try (Tape tape = Tape.recording()) {
      Var hidden = model.hidden(tape, row(ids), begin(), null);
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

  private static int end(int document) {
    return document + 1 < STARTS.length ? STARTS[document + 1] : TOKENS;
  }

  private static long[] ids(long seed) {
    return new SplittableRandom(seed).longs(TOKENS, 0, VOCABULARY).toArray();
  }

  private static Tensor row(long... ids) {
    return Tensor.create(ids, 1, ids.length);
  }

  private static Tensor begin() {
    int[] begin = new int[TOKENS];
    for (int d = 0; d < STARTS.length; d++) Arrays.fill(begin, STARTS[d], end(d), STARTS[d]);
    return Tensor.create(begin, 1, TOKENS);
  }

  private static Tensor part(Tensor logits, long from, long count) {
    return logits.narrow(1, from, count).contiguous();
  }
}
