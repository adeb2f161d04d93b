package org.bmojo.foreign;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.bmojo.foreign.Fixture.largestDifference;
import static org.bmojo.kernels.torch.Tensors.cat;

import java.util.List;
import java.util.Objects;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.Safetensors;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.model.Batch;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelState;
import org.bmojo.tape.Parameter;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** Models of other libraries, against what those libraries compute. */
class ModelFixtureTest {
  static final List<String> MODELS = List.of(Fixture.MODELS);

  @ParameterizedTest
  @FieldSource("MODELS")
  void logitsAndHiddenStates(String name) {
    Fixture fixture = Fixture.of(name);
    try (Scope scope = new Scope();
        Checkpoint checkpoint = fixture.open();
        Safetensors golden = fixture.golden()) {
      LanguageModel model = checkpoint.model();
      Tensor ids = golden.tensor("input_ids");
      Tensor wanted = golden.tensor("logits");
      double worst = largestDifference(model.logits(ids, null), wanted);
      report(name, "logits", worst);
      assertThat(worst).as("%s: logits", name).isLessThan(fixture.tolerance());
      try (ModelState state = model.newState(ids.size(0))) {
        double inParts = largestDifference(inParts(model, ids, state), wanted);
        assertThat(inParts).as("%s: logits in parts", name).isLessThan(fixture.tolerance());
      }
      try (ModelState state = model.newState(ids.size(0))) {
        for (long t = 0; t < ids.size(1); t++) {
          Tensor logits = model.step(ids.narrow(1, t, 1), state);
          double step = largestDifference(logits, wanted.select(1, t));
          assertThat(step).as("%s: logits of step %d", name, t).isLessThan(fixture.stepTolerance());
        }
      }
      List<Tensor> hidden = model.hiddenStates(ids);
      int layers = model.config().layers().size();
      double deepest = 0;
      // Transformers lists embeddings and blocks' outputs, the last of them after the final norm;
      // of Mambas it leaves the embeddings out. The factory lists blocks' outputs.
      boolean mamba = name.startsWith("mamba");
      for (int i = 0; i <= layers; i++) {
        int ours = i == layers ? layers + 1 : mamba ? i + 1 : i;
        deepest = Math.max(deepest, difference(golden, "hidden." + i, hidden.get(ours)));
        if (i == layers) continue;
        deepest = Math.max(deepest, difference(golden, "layer_out." + i, hidden.get(i + 1)));
      }
      report(name, "hidden", deepest);
      assertThat(deepest).as("%s: hidden states", name).isLessThan(fixture.hiddenTolerance());
    }
  }

  private static double difference(Safetensors golden, String name, Tensor actual) {
    return golden.names().contains(name) ? largestDifference(actual, golden.tensor(name)) : 0;
  }

  /** In calls of 1, 2, 3, 5 tokens, over and over. */
  private static Tensor inParts(LanguageModel model, Tensor ids, ModelState state) {
    Tensor logits = null;
    int[] lengths = {1, 2, 3, 5};
    int count = 0;
    for (long from = 0, n; from < ids.size(1); from += n) {
      n = Math.min(lengths[count++ % lengths.length], ids.size(1) - from);
      Tensor part = model.logits(ids.narrow(1, from, n).contiguous(), state);
      logits = logits == null ? part : cat(1, logits, part);
    }
    if (logits == null) throw new AssertionError("no ids");
    return logits;
  }

  @ParameterizedTest
  @FieldSource("MODELS")
  void lossAndGradients(String name) {
    Fixture fixture = Fixture.of(name);
    try (Scope scope = new Scope();
        Checkpoint checkpoint = fixture.open();
        Safetensors golden = fixture.golden();
        Safetensors gradients = fixture.gradients();
        Tape tape = Tape.recording()) {
      LanguageModel model = checkpoint.model();
      Var loss = model.loss(tape, nextTokens(golden.tensor("input_ids")));
      double wanted = golden.tensor("loss").item_double();
      assertThat(loss.value().item_double()).as("%s: loss", name).isCloseTo(wanted, within(1e-5));
      tape.backward(loss, 1);
      var translation = translation(fixture);
      double worst = 0;
      for (var e : model.parameters().entrySet()) {
        Parameter p = e.getValue();
        String theirs = translation.names().theirs(e.getKey()).getFirst();
        Tensor want = gradients.tensor(theirs).view(Shapes.of(p.value()));
        Tensor gradient = Objects.requireNonNull(p.gradient(), theirs);
        double scale = want.abs().max().item_double();
        double relative = largestDifference(gradient, want) / scale;
        worst = Math.max(worst, relative);
        assertThat(relative)
            .as("%s: gradient of %s", name, theirs)
            .isLessThan(fixture.gradientTolerance());
      }
      assertThat(model.parameters()).hasSize(gradients.names().size());
      report(name, "gradient", worst);
    }
  }

  static Architecture.Translation translation(Fixture fixture) {
    var config = org.bmojo.io.Json.foreignTree(fixture.folder().resolve("config.json"));
    Architecture architecture = Architectures.named(Architectures.nameIn(config));
    if (architecture == null) throw new AssertionError(fixture.name());
    return architecture.read(new Settings(config, fixture.name()));
  }

  static Batch nextTokens(Tensor ids) {
    long tokens = ids.size(1);
    Tensor targets = ids.clone();
    targets.narrow(1, 0, tokens - 1).copy_(ids.narrow(1, 1, tokens - 1));
    targets.select(1, tokens - 1).fill_(new Scalar(-100L));
    return new Batch(ids, targets, ids.size(0) * (tokens - 1));
  }

  @ParameterizedTest
  @FieldSource("MODELS")
  void greedyTokensInEveryForm(String name) {
    Fixture fixture = Fixture.of(name);
    try (Scope scope = new Scope();
        Checkpoint checkpoint = fixture.open();
        Safetensors golden = fixture.golden()) {
      LanguageModel model = checkpoint.model();
      Tensor prompt = golden.tensor("gen.prompt_ids"), wanted = golden.tensor("gen.sequences");
      long batch = prompt.size(0), count = wanted.size(1) - prompt.size(1);
      Tensor parallel = prompt, chunked = prompt, stepped = prompt;
      try (ModelState afterChunks = model.newState(batch);
          ModelState afterSteps = model.newState(batch)) {
        Tensor fromChunks = lastOf(inParts(model, prompt, afterChunks));
        Tensor fromSteps = null;
        for (long t = 0; t < prompt.size(1); t++) {
          fromSteps = model.step(prompt.narrow(1, t, 1), afterSteps);
        }
        for (int i = 0; i < count; i++) {
          parallel = cat(1, parallel, best(model.lastLogits(parallel, null)));
          if (fromSteps == null) throw new AssertionError("no prompt");
          chunked = cat(1, chunked, best(fromChunks));
          stepped = cat(1, stepped, best(fromSteps));
          fromChunks = lastOf(model.logits(lastIds(chunked), afterChunks));
          fromSteps = model.step(lastIds(stepped), afterSteps);
        }
      }
      assertThat(parallel.equal(wanted)).as("%s: parallel", name).isTrue();
      assertThat(chunked.equal(wanted)).as("%s: chunked", name).isTrue();
      assertThat(stepped.equal(wanted)).as("%s: step", name).isTrue();
    }
  }

  private static Tensor lastOf(Tensor logits) {
    return logits.select(1, logits.size(1) - 1);
  }

  private static Tensor lastIds(Tensor ids) {
    return ids.narrow(1, ids.size(1) - 1, 1).contiguous();
  }

  private static Tensor best(Tensor logits) {
    return logits.argmax(new org.bytedeco.pytorch.LongOptional(1), true);
  }

  /** For those who want the numbers: -Dbmojo.deviations. */
  private static void report(String name, String what, double worst) {
    if (System.getProperty("bmojo.deviations") != null) {
      System.out.printf("%-16s %-9s %.2e%n", name, what, worst);
    }
  }
}
