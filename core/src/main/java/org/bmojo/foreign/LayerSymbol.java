package org.bmojo.foreign;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.bmojo.error.BadInput;

/** A layer in a hybrid pattern such as {@code *-BMF-*-M2}. */
public enum LayerSymbol {
  ATTENTION("*"),
  SLIDING("SWA"),
  MAMBA2("M2"),
  DELTA("GDN"),
  KALMA("GKA"),
  BMOJO("BMF");

  private final String text;

  LayerSymbol(String text) {
    this.text = text;
  }

  /** As it stands in a pattern. */
  public String text() {
    return text;
  }

  /**
   * The layers of a pattern.
   *
   * @param where its source, for messages
   * @param layers how many the model has
   * @throws BadInput naming the symbol that is unknown, or both counts
   */
  public static List<LayerSymbol> parse(String pattern, String where, int layers) {
    List<LayerSymbol> symbols = new ArrayList<>();
    for (String part : pattern.split("-", -1)) symbols.add(of(part, where));
    if (symbols.size() == layers) return symbols;
    throw new BadInput(
        where + " has " + symbols.size() + " symbols in the pattern " + pattern,
        "expected one for each of " + layers + " layers",
        "Correct the pattern");
  }

  static List<LayerSymbol> pattern(Settings config) {
    String key = "hybrid_override_pattern";
    if (!config.has(key)) throw config.refused(key, "a pattern such as *-BMF");
    return parse(config.text(key, ""), config.where(), config.few("num_hidden_layers"));
  }

  private static LayerSymbol of(String part, String where) {
    for (LayerSymbol symbol : values()) if (symbol.text.equals(part)) return symbol;
    boolean fused = part.length() > 1 && (part.contains("*") || part.contains(">"));
    throw new BadInput(
        where + " has the symbol " + part + (fused ? ", a layer fused for distillation" : ""),
        "expected "
            + Arrays.stream(values()).map(LayerSymbol::text).collect(Collectors.joining(", ")),
        fused ? "Unfuse the model where it was trained" : "Correct the pattern");
  }
}
