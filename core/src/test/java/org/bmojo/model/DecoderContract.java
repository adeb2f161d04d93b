package org.bmojo.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.FarPositions;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A decoder does what the model's own step does, whoever comes and goes. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class DecoderContract {
  private static final int VOCABULARY = 50,
      WIDTH = 32,
      STEPS = Integer.getInteger("bmojo.test.steps", 300);

  /** Where models are tried. */
  abstract Device device();

  abstract ScalarType type();

  /** What {@link Decoder#of} must answer for the families below. */
  abstract Class<? extends Decoder> expected();

  /** A model's name and its layers; windows and chunks wrap many times within the steps. */
  record Family(String name, List<BlockConfig> layers, boolean tied) {
    @Override
    public String toString() {
      return name;
    }
  }

  Stream<Family> families() {
    MambaConfig mamba = new MambaConfig(4, 4, 2, 0), odd = new MambaConfig(3, 3, 2, 3);
    EideticConfig memory = EideticConfig.of(5, 8, Selection.INNOVATION);
    EideticConfig contextual = EideticConfig.of(5, 8, Selection.CONTEXTUAL);
    EideticConfig important = EideticConfig.of(5, 8, Selection.IMPORTANCE);
    EideticConfig combined = EideticConfig.of(5, 8, Selection.COMBINED);
    EideticConfig unturned =
        new EideticConfig(20, 5, Selection.INNOVATION, FarPositions.NONE, 8, false, null);
    BlockConfig window = new BlockConfig(new MixerConfig(null, attention(16, 0, 0, null)), 40);
    BlockConfig kept = new BlockConfig(new MixerConfig(null, attention(16, 0, 0, important)), 40);
    BlockConfig all = new BlockConfig(new MixerConfig(null, attention(null, 0, 0, null)), 40);
    BlockConfig state = new BlockConfig(new MixerConfig(mamba, null), 0);
    return Stream.of(
        new Family("transformer", List.of(all, all), true),
        new Family("sliding", List.of(window, window), false),
        new Family("mamba", List.of(state, new BlockConfig(new MixerConfig(odd, null), 0)), true),
        new Family("hybrid", List.of(state, window), true),
        new Family("bmojo-f", List.of(bmojo(mamba, null), bmojo(mamba, null)), true),
        new Family("bmojo", List.of(bmojo(mamba, memory), bmojo(odd, memory)), true),
        new Family(
            "bmojo, early",
            List.of(bmojo(mamba, memory.eligible(true)), bmojo(odd, contextual.eligible(true))),
            true),
        new Family(
            "bmojo, two memories", List.of(bmojo(mamba, memory), bmojo(odd, unturned)), true),
        new Family(
            "bmojo, contextual",
            List.of(bmojo(mamba, contextual.startingAt(-2)), bmojo(odd, contextual)),
            true),
        // Importance alone scores equal inputs equally: a first layer tells equal tokens apart.
        new Family(
            "bmojo, importance",
            List.of(state, bmojo(mamba, important), bmojo(odd, important)),
            true),
        new Family("bmojo, combined", List.of(bmojo(mamba, combined), bmojo(odd, combined)), true),
        new Family(
            "bmojo, scale-free",
            List.of(
                bmojo(mamba, memory.predictingFrom(true)),
                bmojo(odd, combined.predictingFrom(true)),
                bmojo(mamba, memory)),
            true),
        new Family("importance, no state", List.of(window, kept), true));
  }

  private static BlockConfig bmojo(MambaConfig mamba, @Nullable EideticConfig eidetic) {
    return new BlockConfig(new MixerConfig(mamba, attention(16, 12, 4, eidetic), true), 24);
  }

  private static AttentionConfig attention(
      @Nullable Integer window, int fading, int taps, @Nullable EideticConfig eidetic) {
    return new AttentionConfig(4, 2, 8, window, fading, taps, false, true, 10_000, eidetic);
  }

  private LanguageModel model(Family family) {
    ModelConfig config = new ModelConfig(VOCABULARY, WIDTH, 1e-5, family.tied, family.layers);
    LanguageModel model = TinyModels.model(config, 5, ScalarType.Float);
    // Fresh predictors foretell next to nothing of a normalised state: scores that nearly tie would
    // be told apart by
    // rounding.
    model
        .parameters()
        .forEach((name, p) -> {
          if (family.name.contains("scale-free") && name.endsWith("innovation.up.weight")) {
            p.value().mul_(scalar(6));
          }
        });
    model.parameters().values().forEach(p -> p.place(device(), type(), false));
    return model;
  }

  private static Tensor ids(SplittableRandom random, int batch, int tokens) {
    int[][] rows = new int[batch][tokens];
    for (int[] row : rows) for (int t = 0; t < tokens; t++) row[t] = random.nextInt(VOCABULARY);
    return Ids.tensor(rows);
  }

  /** One sequence over many windows and chunks, from a prompt on. */
  @ParameterizedTest
  @MethodSource("families")
  void oneSequenceIsContinuedAsByTheModel(Family family) {
    SplittableRandom random = new SplittableRandom(7);
    try (Scope _ = new Scope();
        LanguageModel model = model(family);
        ModelState eager = model.newState(1);
        Decoder decoder = Decoder.of(model)) {
      assertThat(decoder).isInstanceOf(expected());
      model.lastLogits(ids(random, 1, 21), eager);
      decoder.join(eager);
      for (int i = 0; i < STEPS; i++) {
        try (Scope _ = new Scope()) {
          Tensor next = ids(random, 1, 1);
          assertClose(decoder.step(next), model.step(next, eager), "step " + i);
        }
      }
      try (ModelState copy = decoder.copy(0)) {
        assertThat(copy.position()).isEqualTo(eager.position());
        assertSameMemory(copy, eager);
      }
    }
  }

  /** Sequences of different lengths join and leave; each goes on as if it were alone. */
  @ParameterizedTest
  @MethodSource("families")
  void sequencesJoinAndLeave(Family family) {
    SplittableRandom random = new SplittableRandom(11);
    try (Scope _ = new Scope();
        LanguageModel model = model(family);
        ModelState a = model.newState(1);
        ModelState b = model.newState(1);
        ModelState c = model.newState(2);
        Decoder decoder = Decoder.of(model)) {
      model.lastLogits(ids(random, 1, 30), a);
      model.lastLogits(ids(random, 1, 3), b);
      model.lastLogits(ids(random, 2, 17), c);
      decoder.join(a);
      together(random, model, decoder, 5, a);
      decoder.join(b);
      decoder.join(c);
      together(random, model, decoder, 40, a, b, c);
      decoder.retain(1, 3);
      ModelState last = c.copy(1);
      together(random, model, decoder, 20, b, last);
      decoder.join(a);
      together(random, model, decoder, 20, b, last, a);
      decoder.retain(2);
      together(random, model, decoder, 9, a);
      last.close();
    }
  }

  private void together(
      SplittableRandom random,
      LanguageModel model,
      Decoder decoder,
      int steps,
      ModelState... states) {
    for (int i = 0; i < steps; i++) {
      try (Scope _ = new Scope()) {
        Tensor next = ids(random, decoder.size(), 1);
        Tensor logits = decoder.step(next);
        int row = 0;
        for (ModelState s : states) {
          Tensor wanted = model.step(next.narrow(0, row, s.batch()), s);
          assertClose(logits.narrow(0, row, s.batch()), wanted, "step " + i + " row " + row);
          row += s.batch();
        }
      }
    }
  }

  @Test
  void theLikeliestIsTheModels() {
    SplittableRandom random = new SplittableRandom(3);
    try (Scope _ = new Scope();
        LanguageModel model = model(families().skip(5).findFirst().orElseThrow());
        ModelState eager = model.newState(1);
        Decoder decoder = Decoder.of(model)) {
      int[] next = Ids.likeliest(model.lastLogits(ids(random, 1, 9), eager));
      decoder.join(eager);
      Tensor given = Ids.column(next);
      for (int i = 0; i < 60; i++) {
        try (Scope _ = new Scope()) {
          decoder.queueLikeliest(i % 7 == 0 ? Ids.column(next) : null);
          int[] chosen = decoder.takeLikeliest();
          Tensor logits = model.step(Ids.column(next), eager).cpu();
          // Where two are as likely up to rounding, either will do.
          float most = logits.max().item_float(),
              own = logits.flatten().select(0, chosen[0]).item_float();
          assertThat(most - own).as("step %d", i).isLessThanOrEqualTo(tolerance());
          next = chosen;
        }
      }
      assertThat(given.size(0)).isEqualTo(1);
    }
  }

  private float tolerance() {
    return type() == ScalarType.BFloat16 ? 0.15f : 1e-4f;
  }

  private void assertClose(Tensor found, Tensor wanted, String what) {
    Tensor a = found.cpu().to(ScalarType.Float), b = wanted.cpu().to(ScalarType.Float);
    float worst = a.sub(b).abs().max().item_float();
    assertThat(worst).as(what).isLessThanOrEqualTo(tolerance());
  }

  private void assertSameMemory(ModelState found, ModelState wanted) {
    var own = found.tensors();
    wanted
        .tensors()
        .forEach((name, t) -> {
          Tensor mine = Objects.requireNonNull(own.get(name), name);
          if (type() == ScalarType.BFloat16 && name.contains("eidetic"))
            return; // ties within rounding
          Tensor a = mine.cpu().to(ScalarType.Double).nan_to_num();
          Tensor b = t.cpu().to(ScalarType.Double).nan_to_num();
          if (a.dim() > 1 && a.size(1) != b.size(1)) {
            long rows = Math.min(a.size(1), b.size(1));
            a = a.narrow(1, 0, rows);
            b = b.narrow(1, 0, rows);
          }
          if (name.endsWith("eidetic.k") || name.endsWith("eidetic.v")) {
            // Nobody reads what stands in empty slots.
            String positions = name.substring(0, name.length() - 1) + "positions";
            Tensor taken = Objects.requireNonNull(own.get(positions), positions);
            Tensor there = taken.cpu().ge(new Scalar(0L)).unsqueeze(-1).unsqueeze(-1);
            a = a.mul(there);
            b = b.mul(there);
          }
          double worst = a.sub(b).abs().max().item_double();
          assertThat(worst).as(name).isLessThanOrEqualTo(3 * tolerance());
        });
  }

  static Device device(String name) {
    return new Device(name);
  }
}
