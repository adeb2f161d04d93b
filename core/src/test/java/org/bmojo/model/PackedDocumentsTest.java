package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bmojo.kernels.contract.Close.assertSame;
import static org.bmojo.kernels.contract.Close.assertWithin;
import static org.bmojo.kernels.torch.Tensors.cat;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.DeltaHeads;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.GatedDeltaNetConfig;
import org.bmojo.mixer.GatedKalmaNetConfig;
import org.bmojo.mixer.Mamba2Config;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;
import org.bmojo.mixer.SsmConfig;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Documents that share a row know nothing of each other, in a model of any family: neither what
 * they say nor, but for where chunks end, that there are others.
 */
class PackedDocumentsTest {
  /** Where documents of a row begin: single tokens side by side, and chunk ends hit and missed. */
  private static final int[] STARTS = {0, 1, 2, 13, 24};

  private static final int TOKENS = 43;

  private static final PackedRow ROW = new PackedRow(STARTS, TOKENS, TinyModels.VOCABULARY);

  private static final List<ScalarType> BOTH_ROOMS = List.of(ScalarType.Double, ScalarType.Float);

  static Stream<String> families() {
    return models().keySet().stream();
  }

  private static Map<String, ModelConfig> models() {
    Map<String, ModelConfig> all = new LinkedHashMap<>(TinyModels.all());
    DeltaHeads heads = DeltaHeads.of(2, 1, 4, 1e-5);
    SsmConfig mamba2 =
        new Mamba2Config(
            4, 4, 6, 4, 2, 2, 4, true, false, 2, 1e-5, false, 0, 0, Double.POSITIVE_INFINITY);
    SsmConfig delta = new GatedDeltaNetConfig(heads, true);
    SsmConfig kalma = new GatedKalmaNetConfig(heads, 20, 0.02, true, true, true, true, true, true);
    for (SsmConfig ssm : List.of(mamba2, delta, kalma)) {
      String name = ssm.getClass().getSimpleName();
      EideticConfig eidetic = EideticConfig.of(4, 3, Selection.COMBINED);
      AttentionConfig attention =
          new AttentionConfig(2, 1, 4, 4, 3, 4, true, true, 10_000, eidetic);
      all.put(name, one(new MixerConfig(ssm, null)));
      all.put("bmojo with " + name, one(new MixerConfig(ssm, attention)));
    }
    return all;
  }

  private static ModelConfig one(MixerConfig mixer) {
    BlockConfig block = new BlockConfig(mixer, 12);
    return new ModelConfig(TinyModels.VOCABULARY, 8, 1e-5, false, List.of(block, block));
  }

  private static LanguageModel model(String family, ScalarType type) {
    return TinyModels.model(Objects.requireNonNull(models().get(family)), 3, type);
  }

  @ParameterizedTest
  @MethodSource("families")
  void noLogitDependsOnAnotherDocument(String family) {
    for (ScalarType type : BOTH_ROOMS) {
      try (Scope _ = new Scope();
          LanguageModel model = model(family, type)) {
        ROW.assertNoLogitDependsOnAnotherDocument(model);
      }
    }
  }

  /** Nor does a gradient go there: ids below 6 occur in all other documents only. */
  @ParameterizedTest
  @MethodSource("families")
  void noGradientReachesAnotherDocument(String family) {
    for (ScalarType type : BOTH_ROOMS) {
      for (int d = 0; d < STARTS.length; d++) {
        try (Scope _ = new Scope();
            LanguageModel model = model(family, type)) {
          long[] ids = Arrays.stream(ROW.ids(3)).map(id -> id % 6).toArray();
          for (int t = STARTS[d]; t < ROW.end(d); t++) ids[t] += 6;
          model.recompute(Recompute.values()[d % Recompute.values().length]);
          Tensor others = embeddingGradient(model, PackedRow.row(ids), d).narrow(0, 0, 6);
          assertThat(others.count_nonzero().item_long()).as("document " + d).isZero();
        }
      }
    }
  }

  /** Of what the head reads of one document, weighted at random. */
  private static Tensor embeddingGradient(LanguageModel model, Tensor ids, int document) {
    int from = STARTS[document], count = ROW.end(document) - from;
    try (Tape tape = Tape.recording()) {
      Var hidden = model.hidden(tape, ids, ROW.begin(), null);
      Tensor weights = new Draw(5).normal(1, count, 8).to(hidden.value().scalar_type());
      Var sum =
          TorchFunction.apply(tape, t -> t[0].narrow(1, from, count).mul(weights).sum(), hidden);
      tape.backward(sum, 1);
    }
    return Objects.requireNonNull(
        Objects.requireNonNull(model.parameters().get("embed_tokens.weight")).gradient());
  }

  /** Memory is refreshed where the row's chunks end: documents that begin there are as if alone. */
  @ParameterizedTest
  @MethodSource("families")
  void aDocumentThatBeginsWithAChunkIsAsIfAlone(String family) {
    for (ScalarType type : BOTH_ROOMS) {
      try (Scope _ = new Scope();
          LanguageModel model = model(family, type)) {
        long[] ids = ROW.ids(4);
        Tensor packed = model.logits(PackedRow.row(ids), ROW.begin(), null);
        for (int d : new int[] {0, 1, 4}) { // of one token; 24 is where chunks of 2 and 3 begin
          int from = STARTS[d], count = ROW.end(d) - from;
          long[] own = Arrays.copyOfRange(ids, from, from + count);
          double bound = type == ScalarType.Double ? 1e-9 : 1e-5;
          String name = "document " + d;
          assertWithin(
              name,
              PackedRow.part(packed, from, count),
              model.logits(PackedRow.row(own), null),
              bound);
        }
      }
    }
  }

  /** A state that is carried from one part of a row to the next ends where a document does. */
  @ParameterizedTest
  @MethodSource("families")
  void aRowReadInPartsIsTheRow(String family) {
    for (int[] cuts : new int[][] {{1, 2, 13, 24}, {7, 20, 30}, {12, 14}, {1}, {42}}) {
      try (Scope _ = new Scope();
          LanguageModel model = model(family, ScalarType.Double);
          ModelState state = model.newState(1)) {
        long[] ids = ROW.ids(5);
        Tensor whole = model.logits(PackedRow.row(ids), ROW.begin(), null);
        Tensor[] parts = new Tensor[cuts.length + 1];
        for (int i = 0; i <= cuts.length; i++) {
          int from = i == 0 ? 0 : cuts[i - 1], to = i == cuts.length ? TOKENS : cuts[i];
          Tensor begin = ROW.begin().narrow(1, from, to - from).sub(new Scalar(from)).contiguous();
          parts[i] = model.logits(PackedRow.row(Arrays.copyOfRange(ids, from, to)), begin, state);
        }
        assertWithin("cut at " + Arrays.toString(cuts), cat(1, parts), whole, 1e-9);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"bmojo", "everything", "storage", "hybrid", "bmojo with Mamba2Config"})
  void recomputedBlocksHaveTheSameGradients(String family) {
    try (Scope _ = new Scope();
        LanguageModel model = model(family, ScalarType.Float)) {
      Tensor kept = embeddingGradient(model, PackedRow.row(ROW.ids(6)), 3).clone();
      model.parameters().values().forEach(p -> p.clearGradient());
      for (Recompute what : List.of(Recompute.LIGHT, Recompute.BLOCKS)) {
        model.recompute(what);
        Tensor again = embeddingGradient(model, PackedRow.row(ROW.ids(6)), 3);
        assertSame("gradient, " + what, again, kept);
        model.parameters().values().forEach(p -> p.clearGradient());
      }
    }
  }
}
