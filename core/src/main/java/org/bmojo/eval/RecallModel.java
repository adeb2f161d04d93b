package org.bmojo.eval;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.bmojo.error.BadInput;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.DeltaHeads;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.FarPositions;
import org.bmojo.mixer.GatedDeltaNetConfig;
import org.bmojo.mixer.Mamba2Config;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;
import org.bmojo.mixer.SsmConfig;
import org.bmojo.mixer.StorageConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.ModelConfig;
import org.jspecify.annotations.Nullable;

/**
 * A small model for recall, told by its family and the sizes that differ from {@link Family}'s
 * usual ones (null). By default mixers only, without perceptrons, as recall is compared in the
 * literature (Arora et al. 2023).
 *
 * @param family which memories
 * @param width d (64)
 * @param layers how many (2)
 * @param heads of attention, and of a gated delta net (1)
 * @param kvHeads heads of attention's keys and values, which divide the others (as many)
 * @param mlp inner width of the perceptron after every mixer (0, none)
 * @param front window of a first layer that is a window alone, with a convolution in front, as
 *     Based has a gated convolution there; 0 for layers all alike (0)
 * @param tiedHead whether the output head is the embedding (true)
 * @param ssm the state space: MAMBA where the family does not say
 * @param states N of a Mamba or Mamba-2 (8)
 * @param window W (8)
 * @param fading F (W)
 * @param convolution width of the short convolution in front of attention; 0 for none (4)
 * @param ropeBase of the rotary embedding; 0 for no positions (10,000)
 * @param tiedFading whether fading keys use the window's matrices (true)
 * @param eidetic E; 0 for none (16)
 * @param trainedEidetic E while the model trains (E)
 * @param chunk C, tokens between refreshes (min(W, 16))
 * @param selection who is kept (contextual)
 * @param positions where long-term memory stands (fixed)
 * @param modulated whether the score joins the logits (false)
 * @param early whether tokens about to leave the window are eligible (true where C ≤ W; decision
 *     11)
 * @param scaleFree whether innovation predicts from rms(y) (true where it predicts; decision 12)
 * @param retrieved R, tokens that come back from storage for a chunk; 0 for no storage (0)
 * @param queries how many of the newest queries ask storage (4)
 */
public record RecallModel(
    Family family,
    @Nullable Integer width,
    @Nullable Integer layers,
    @Nullable Integer heads,
    @Nullable Integer kvHeads,
    @Nullable Integer mlp,
    @Nullable Integer front,
    @Nullable Boolean tiedHead,
    @Nullable StateSpace ssm,
    @Nullable Integer states,
    @Nullable Integer window,
    @Nullable Integer fading,
    @Nullable Integer convolution,
    @Nullable Double ropeBase,
    @Nullable Boolean tiedFading,
    @Nullable Integer eidetic,
    @Nullable Integer trainedEidetic,
    @Nullable Integer chunk,
    @Nullable Selection selection,
    @Nullable FarPositions positions,
    @Nullable Boolean modulated,
    @Nullable Boolean early,
    @Nullable Boolean scaleFree,
    @Nullable Integer retrieved,
    @Nullable Integer queries) {
  /** Which memories. */
  public enum Family {
    /** Attention to everything. */
    TRANSFORMER(false, true, false, false),
    /** Attention to a window. */
    SLIDING(false, true, true, false),
    /** A state space alone: Mamba, or another {@link StateSpace}. */
    MAMBA(true, false, false, false),
    /** The same with Mamba-2. */
    MAMBA2(true, false, false, false),
    /** The same with a gated delta net. */
    GATED_DELTA_NET(true, false, false, false),
    /** State space and window in turn, state space first. */
    HYBRID(true, true, true, false),
    /** Window and fading memory in one layer. */
    BMOJO_F(true, true, true, false),
    /** Window, fading and eidetic memory in one layer. */
    BMOJO(true, true, true, true);

    private final boolean state;
    private final boolean attention;
    private final boolean bounded;
    private final boolean longTerm;

    Family(boolean state, boolean attention, boolean bounded, boolean longTerm) {
      this.state = state;
      this.attention = attention;
      this.bounded = bounded;
      this.longTerm = longTerm;
    }

    /** Such as {@code bmojo-f}. */
    public String label() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  /** What fades. */
  public enum StateSpace {
    MAMBA,
    MAMBA2,
    GATED_DELTA_NET
  }

  private static final int WIDTH = 64;
  private static final int LAYERS = 2;
  private static final int STATES = 8;
  private static final int WINDOW = 8;
  private static final int EIDETIC = 16;
  private static final int CHUNK = 16;
  private static final int CONVOLUTION = 4;
  private static final int QUERIES = 4;
  private static final double ROPE_BASE = 10_000;

  /** Refuses sizes of memories that the family lacks: they would change nothing. */
  public RecallModel {
    boolean mixed = family == Family.BMOJO_F || family == Family.BMOJO;
    boolean free = mixed || family == Family.HYBRID;
    refuse(!free, family, "ssm", ssm);
    boolean sized = family.state && space(family, ssm) != StateSpace.GATED_DELTA_NET;
    refuse(!sized, family, "states", states);
    refuse(sized && !family.attention, family, "heads", heads);
    refuse(!family.attention, family, "kvHeads", kvHeads);
    refuse(!family.bounded, family, "window", window);
    refuse(!family.attention, family, "convolution", convolution);
    refuse(!family.attention, family, "ropeBase", ropeBase);
    refuse(!mixed, family, "fading", fading);
    refuse(!mixed, family, "tiedFading", tiedFading);
    refuse(!family.longTerm, family, "eidetic", eidetic);
    refuse(!family.longTerm, family, "chunk", chunk);
    refuse(!family.longTerm, family, "selection", selection);
    refuse(!family.longTerm, family, "positions", positions);
    refuse(!family.longTerm, family, "modulated", modulated);
    refuse(!family.longTerm, family, "early", early);
    refuse(!family.longTerm, family, "scaleFree", scaleFree);
    refuse(!family.longTerm, family, "trainedEidetic", trainedEidetic);
    if (trainedEidetic != null && (trainedEidetic < 1 || or(eidetic, EIDETIC) == 0)) {
      throw new BadInput(
          "trainedEidetic %d and eidetic %d".formatted(trainedEidetic, or(eidetic, EIDETIC)),
          "expected at least 1 of both",
          "leave trainedEidetic out");
    }
    refuse(!family.longTerm, family, "retrieved", retrieved);
    refuse(!family.longTerm, family, "queries", queries);
    if (or(retrieved, 0) != 0 && or(eidetic, EIDETIC) == 0) {
      throw new BadInput(
          "retrieved " + retrieved + " without eidetic memory",
          "expected at least 1 token of it, since storage takes what it lets go",
          "raise eidetic, or leave retrieved out");
    }
    if (queries != null && retrieved == null) {
      throw new BadInput(
          "queries " + queries + " without retrieved",
          "expected both, since they ask storage",
          "set retrieved, or leave queries out");
    }
  }

  private static void refuse(boolean foreign, Family family, String name, @Nullable Object value) {
    if (!foreign || value == null) return;
    throw new BadInput(
        "%s %s for %s".formatted(name, value, family.label()),
        "expected none: the model has no such part",
        "leave it out, or choose another model");
  }

  /** The family in its usual sizes. */
  public static RecallModel of(Family family) {
    return new RecallModel(
        family, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
        null, null, null, null, null, null, null, null, null, null);
  }

  /** The same with every size that the model has written out, and no other. */
  public RecallModel resolved() {
    boolean mixed = family == Family.BMOJO_F || family == Family.BMOJO;
    boolean sized = family.state && space(family, ssm) != StateSpace.GATED_DELTA_NET;
    boolean headed = family.attention || !sized;
    boolean remembers = memory() != null;
    boolean stores = or(retrieved, 0) != 0;
    return new RecallModel(
        family,
        or(width, WIDTH),
        or(layers, LAYERS),
        headed ? or(heads, 1) : null,
        family.attention ? or(kvHeads, or(heads, 1)) : null,
        or(mlp, 0),
        or(front, 0),
        tiedHead == null || tiedHead,
        mixed || family == Family.HYBRID ? space(family, ssm) : null,
        sized ? or(states, STATES) : null,
        family.bounded ? reach() : null,
        mixed ? or(fading, reach()) : null,
        family.attention ? or(convolution, CONVOLUTION) : null,
        family.attention ? base() : null,
        mixed ? tiedFading == null || tiedFading : null,
        family.longTerm ? or(eidetic, EIDETIC) : null,
        trainedEidetic,
        remembers ? refresh() : null,
        remembers ? rule() : null,
        remembers ? far() : null,
        remembers ? modulated != null && modulated : null,
        remembers ? soon() : null,
        remembers && rule().predicts() ? freed() : null,
        stores ? retrieved : null,
        stores ? or(queries, QUERIES) : null);
  }

  /** The whole model. */
  public ModelConfig config(int vocabulary) {
    int d = or(width, WIDTH);
    List<BlockConfig> blocks = new ArrayList<>();
    for (int i = 0; i < or(layers, LAYERS); i++)
      blocks.add(new BlockConfig(mixer(i, d), or(mlp, 0)));
    return new ModelConfig(vocabulary, d, 1e-5, tiedHead == null || tiedHead, blocks);
  }

  private MixerConfig mixer(int layer, int d) {
    if (layer == 0 && or(front, 0) > 0) {
      AttentionConfig near =
          new AttentionConfig(1, 1, d, front, 0, CONVOLUTION, false, true, ROPE_BASE, null);
      return new MixerConfig(null, near);
    }
    return switch (family) {
      case TRANSFORMER, SLIDING -> new MixerConfig(null, attention(d, 0));
      case MAMBA, MAMBA2, GATED_DELTA_NET -> new MixerConfig(ssm(d), null);
      case HYBRID ->
          layer % 2 == 0 ? new MixerConfig(ssm(d), null) : new MixerConfig(null, attention(d, 0));
      case BMOJO_F, BMOJO -> new MixerConfig(ssm(d), attention(d, or(fading, reach())));
    };
  }

  private AttentionConfig attention(int d, int fading) {
    int count = or(heads, 1);
    if (d % count != 0) {
      throw new BadInput(
          "width " + d + " for " + count + " heads", "expected a multiple", "change one of them");
    }
    return new AttentionConfig(
        count,
        or(kvHeads, count),
        d / count,
        family.bounded ? reach() : null,
        fading,
        or(convolution, CONVOLUTION),
        false,
        tiedFading == null || tiedFading,
        base(),
        memory());
  }

  private @Nullable EideticConfig memory() {
    int capacity = or(eidetic, EIDETIC);
    if (!family.longTerm || capacity == 0) return null;
    boolean joins = modulated != null && modulated;
    return new EideticConfig(capacity, refresh(), rule(), far(), 0, joins, null)
        .eligible(soon())
        .predictingFrom(freed())
        .with(storage());
  }

  private @Nullable StorageConfig storage() {
    int entries = or(retrieved, 0);
    return entries == 0 ? null : StorageConfig.of(entries, or(queries, QUERIES));
  }

  private int refresh() {
    return or(chunk, Math.min(reach(), CHUNK));
  }

  private boolean soon() {
    return early == null ? refresh() <= reach() : early;
  }

  private boolean freed() {
    return scaleFree == null ? rule().predicts() : scaleFree;
  }

  private Selection rule() {
    return selection == null ? Selection.CONTEXTUAL : selection;
  }

  private FarPositions far() {
    return positions == null ? FarPositions.FIXED : positions;
  }

  private double base() {
    return ropeBase == null ? ROPE_BASE : ropeBase;
  }

  private SsmConfig ssm(int d) {
    int n = or(states, STATES);
    return switch (space(family, ssm)) {
      case MAMBA -> new MambaConfig(n, CONVOLUTION, 2, 0);
      case MAMBA2 -> mamba2(d, n);
      case GATED_DELTA_NET ->
          new GatedDeltaNetConfig(
              DeltaHeads.of(or(heads, 1), or(heads, 1), d / or(heads, 1), 1e-5), false);
    };
  }

  /** As published, but for the state's size. */
  private static Mamba2Config mamba2(int d, int states) {
    Mamba2Config c = Mamba2Config.standard(d);
    return new Mamba2Config(
        c.heads(),
        c.headDim(),
        states,
        c.inputHeads(),
        c.keyHeads(),
        c.queryHeads(),
        c.convolution(),
        c.convolutionBias(),
        c.projectionBias(),
        c.normGroups(),
        c.normEps(),
        c.keyNorm(),
        c.ropeBase(),
        c.minStep(),
        c.maxStep());
  }

  private static StateSpace space(Family family, @Nullable StateSpace chosen) {
    return switch (family) {
      case MAMBA2 -> StateSpace.MAMBA2;
      case GATED_DELTA_NET -> StateSpace.GATED_DELTA_NET;
      default -> chosen == null ? StateSpace.MAMBA : chosen;
    };
  }

  private int reach() {
    return or(window, WINDOW);
  }

  private static int or(@Nullable Integer value, int otherwise) {
    return value == null ? otherwise : value;
  }
}
