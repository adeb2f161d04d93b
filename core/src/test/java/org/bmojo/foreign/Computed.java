package org.bmojo.foreign;

import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.Safetensors;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.model.Batch;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelState;
import org.bmojo.tape.Tape;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * All that is compared of a fixture, computed by somebody: the library that made it, or us in
 * float32 or in float64. Tensors are float64 and belong to the scope that is open.
 *
 * @param logits (B, T, V) of the whole sequences in one call
 * @param parts the same in calls of 1, 2, 3, 5 tokens
 * @param steps the same token by token
 * @param hidden what passes between blocks, by the fixture's names
 * @param loss a scalar
 * @param gradients of the loss, by the fixture's names
 */
record Computed(
    Tensor logits,
    Tensor parts,
    Tensor steps,
    Map<String, Tensor> hidden,
    Tensor loss,
    Map<String, Tensor> gradients) {

  /** By the library that made the fixture; it stored one form of the logits. */
  static Computed elsewhere(Fixture fixture) {
    try (Safetensors golden = fixture.golden();
        Safetensors saved = fixture.gradients()) {
      Map<String, Tensor> hidden = new LinkedHashMap<>();
      for (String name : golden.names()) {
        if (name.startsWith("hidden.") || name.startsWith("layer_out.")) {
          hidden.put(name, wide(golden.tensor(name)));
        }
      }
      Map<String, Tensor> gradients = new LinkedHashMap<>();
      for (String name : saved.names()) gradients.put(name, wide(saved.tensor(name)));
      Tensor logits = wide(golden.tensor("logits"));
      Tensor loss = wide(golden.tensor("loss"));
      return new Computed(logits, logits, logits, hidden, loss, gradients);
    }
  }

  /** By us. */
  static Computed here(Fixture fixture, ScalarType type) {
    return here(fixture, type, 0, 0);
  }

  /**
   * The same with every weight multiplied by 1 ± 2⁻²⁴, half of a float32's last place, at random:
   * how far that carries in float64 is how much a float32 computation can know.
   */
  static Computed jittered(Fixture fixture, long seed) {
    return here(fixture, ScalarType.Double, 0x1p-24, seed);
  }

  private static Computed here(Fixture fixture, ScalarType type, double jitter, long seed) {
    Draw draw = new Draw(seed);
    try (Checkpoint checkpoint = fixture.open();
        Safetensors golden = fixture.golden();
        LanguageModel model = LanguageModel.create(checkpoint.model().config(), 0, type)) {
      var saved = checkpoint.model().parameters();
      model
          .parameters()
          .forEach((name, p) -> {
            p.value().copy_(Objects.requireNonNull(saved.get(name), name).value());
            if (jitter == 0) return;
            Tensor signs = draw.normal(Shapes.of(p.value())).sign();
            p.value().mul_(signs.mul(scalar(jitter)).add(scalar(1)).to(type));
          });
      Tensor ids = golden.tensor("input_ids");
      List<String> names =
          golden.names().stream()
              .filter(n -> n.startsWith("hidden.") || n.startsWith("layer_out."))
              .toList();
      Tensor logits = wide(model.logits(ids, null));
      Tensor parts;
      Tensor steps;
      try (ModelState chunked = model.newState(ids.size(0));
          ModelState stepped = model.newState(ids.size(0))) {
        parts = wide(inParts(model, ids, chunked));
        steps = wide(inSteps(model, ids, stepped));
      }
      Map<String, Tensor> hidden = hidden(fixture, model, ids, names);
      try (Tape tape = Tape.recording()) {
        Var loss = model.loss(tape, nextTokens(ids));
        tape.backward(loss, 1);
        return new Computed(
            logits, parts, steps, hidden, wide(loss.value()), gradients(fixture, model));
      }
    }
  }

  private static Map<String, Tensor> gradients(Fixture fixture, LanguageModel model) {
    Renaming names = fixture.translation().names();
    Map<String, Tensor> gradients = new LinkedHashMap<>();
    model
        .parameters()
        .forEach((name, p) -> {
          Tensor gradient = Objects.requireNonNull(p.gradient(), name);
          gradients.put(names.theirs(name).getFirst(), wide(gradient));
        });
    return gradients;
  }

  /**
   * Transformers lists embeddings and blocks' outputs, the last of them after the final norm; of
   * Mambas it leaves the embeddings out. The factory lists blocks' outputs.
   */
  private static Map<String, Tensor> hidden(
      Fixture fixture, LanguageModel model, Tensor ids, List<String> names) {
    List<Tensor> ours = model.hiddenStates(ids);
    int layers = model.config().layers().size();
    int shift = fixture.name().startsWith("mamba") ? 1 : 0;
    Map<String, Tensor> hidden = new LinkedHashMap<>();
    for (String name : names) {
      int i = Integer.parseInt(name.substring(name.indexOf('.') + 1));
      boolean between = name.startsWith("hidden.");
      int place = !between ? i + 1 : i == layers ? layers + 1 : i + shift;
      hidden.put(name, wide(ours.get(place)));
    }
    return hidden;
  }

  /** Logits (B, T, V), read in calls of 1, 2, 3, 5 tokens, over and over. */
  static Tensor inParts(LanguageModel model, Tensor ids, ModelState state) {
    int[] lengths = {1, 2, 3, 5};
    int count = 0;
    Tensor logits = null;
    for (long from = 0, n; from < ids.size(1); from += n) {
      n = Math.min(lengths[count++ % lengths.length], ids.size(1) - from);
      Tensor part = model.logits(ids.narrow(1, from, n).contiguous(), state);
      logits = logits == null ? part : cat(1, logits, part);
    }
    return Objects.requireNonNull(logits);
  }

  /** The same token by token. */
  static Tensor inSteps(LanguageModel model, Tensor ids, ModelState state) {
    Tensor[] logits = new Tensor[(int) ids.size(1)];
    for (int t = 0; t < logits.length; t++) {
      logits[t] = model.step(ids.narrow(1, t, 1).contiguous(), state).unsqueeze(1);
    }
    return cat(1, logits);
  }

  /** Every token is to be followed by the next one. */
  static Batch nextTokens(Tensor ids) {
    long tokens = ids.size(1);
    Tensor targets = ids.clone();
    targets.narrow(1, 0, tokens - 1).copy_(ids.narrow(1, 1, tokens - 1));
    targets.select(1, tokens - 1).fill_(new Scalar(-100L));
    return new Batch(ids, targets, ids.size(0) * (tokens - 1));
  }

  private static Tensor wide(Tensor t) {
    return t.to(ScalarType.Double).clone();
  }

  /** The largest difference in a hidden state. */
  double hiddenDistance(String name, Computed other) {
    Tensor ours = Objects.requireNonNull(hidden.get(name), name);
    return distance(ours, Objects.requireNonNull(other.hidden.get(name), name));
  }

  /** The same over all of them. */
  double hiddenDistance(Computed other) {
    return hidden.keySet().stream()
        .mapToDouble(name -> hiddenDistance(name, other))
        .max()
        .orElse(0);
  }

  /** The largest difference in a gradient, in units of the other's largest entry. */
  double gradientDistance(String name, Computed other) {
    Tensor theirs = Objects.requireNonNull(other.gradients.get(name), name);
    Tensor ours = Objects.requireNonNull(gradients.get(name), name).view(Shapes.of(theirs));
    return distance(ours, theirs) / theirs.abs().max().item_double();
  }

  /** The same over all of them. */
  double gradientDistance(Computed other) {
    return gradients.keySet().stream()
        .mapToDouble(name -> gradientDistance(name, other))
        .max()
        .orElse(0);
  }

  static double distance(Tensor a, Tensor b) {
    try (Scope scope = new Scope()) {
      return a.sub(b).abs().max().item_double();
    }
  }

  static Tensor best(Tensor logits) {
    return logits.argmax(new LongOptional(1), true);
  }
}
