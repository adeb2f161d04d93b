package org.bmojo.surgery;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.tape.Parameter;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A model of another configuration around the weights of one: parameters of equal name and shape
 * are taken over, the rest are made fresh, layer by layer, so that a large model is never there
 * twice.
 */
final class Transplant {
  private final LanguageModel model;
  private final Map<String, Parameter> donor;
  private final List<String> fresh = new ArrayList<>();

  private Transplant(LanguageModel model, Map<String, Parameter> donor) {
    this.model = model;
    this.donor = donor;
  }

  /**
   * @param seed of the fresh weights
   */
  static Transplant of(LanguageModel from, ModelConfig config, long seed) {
    Map<String, Parameter> donor = from.parameters();
    ScalarType type = embedding(donor).scalar_type();
    Transplant t = new Transplant(LanguageModel.shapes(config, type), donor);
    try (Scope scope = new Scope()) {
      Map<String, Parameter> targets = t.model.parameters();
      Map<Integer, Map<String, Parameter>> made = new LinkedHashMap<>();
      targets.forEach((name, p) -> {
        Parameter own = donor.get(name);
        boolean fits = own != null && Arrays.equals(Shapes.of(own.value()), Shapes.of(p.value()));
        if (own != null && fits) {
          p.borrow(own.value());
          return;
        }
        t.fresh.add(name);
        int layer = Integer.parseInt(name.split("\\.", 3)[1]); // Only layers differ.
        var block = made.computeIfAbsent(layer, i -> block(config, i, seed, type));
        String alone = "layers.0." + name.split("\\.", 3)[2];
        Parameter drawn = block.get(alone);
        if (drawn == null) throw new AssertionError(name);
        p.borrow(drawn.value());
        p.own();
      });
    } catch (RuntimeException e) {
      t.model.close();
      throw e;
    }
    return t;
  }

  private static Map<String, Parameter> block(
      ModelConfig config, int layer, long seed, ScalarType type) {
    ModelConfig alone = ModelConfig.uniform(1, config.width(), 1, config.layers().get(layer));
    return LanguageModel.create(alone, seed + layer, type).parameters();
  }

  private static Tensor embedding(Map<String, Parameter> parameters) {
    Parameter p = parameters.get("embed_tokens.weight");
    if (p == null) throw new AssertionError("a model without an embedding");
    return p.value();
  }

  /** A weight of the donor; null where it has none of that name. */
  @Nullable Tensor donated(String name) {
    Parameter p = donor.get(name);
    return p == null ? null : p.value();
  }

  /** Fills a fresh parameter. */
  void fill(String name, Tensor value) {
    target(name).copy_(value);
    fresh.remove(name);
  }

  /** Fills rows of a fresh parameter; the others stay as drawn. */
  void fillRows(String name, long from, Tensor rows) {
    target(name).narrow(0, from, rows.size(0)).copy_(rows);
  }

  /** Says that part of a parameter is fresh. */
  void note(String name, String part) {
    fresh.set(fresh.indexOf(name), name + " (" + part + ")");
  }

  boolean has(String name) {
    return model.parameters().containsKey(name);
  }

  private Tensor target(String name) {
    Parameter p = model.parameters().get(name);
    if (p == null || !fresh.contains(name)) throw new AssertionError(name);
    return p.value();
  }

  Operated done() {
    return new Operated(model, fresh);
  }
}
