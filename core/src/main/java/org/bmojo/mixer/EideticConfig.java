package org.bmojo.mixer;

import java.util.Locale;
import org.bmojo.error.BadInput;
import org.jspecify.annotations.Nullable;

/**
 * Long-term memory of verbatim keys and values.
 *
 * @param capacity E, tokens kept at most
 * @param chunk C, tokens between refreshes; C ≤ W keeps fading memory covering the gap
 * @param selection how tokens are scored
 * @param positions where they stand relative to the query
 * @param predictorRank rank of the innovation's low-rank predictor; 0 stands for max(1, d/16)
 * @param modulated whether γ_h · log(1 + e) joins their logits (γ learnt, from 0)
 * @param threshold a bar for the score; null keeps the best E whatever their scores
 * @param storage what becomes of tokens that are not kept; null forgets them
 * @param initialBias where b of a learned score starts; below 0, what is kept counts for little
 *     until training finds a use for it
 * @param early whether tokens that leave the window before the next refresh are eligible already,
 *     so that none is ever in neither; needs C ≤ W
 * @param scaleFree whether innovation predicts from rms(y) instead of y, so that neither its error
 *     nor its gradient depends on how loud the state has become; for selection by innovation alone
 *     or combined
 */
public record EideticConfig(
    int capacity,
    int chunk,
    Selection selection,
    FarPositions positions,
    int predictorRank,
    boolean modulated,
    @Nullable Threshold threshold,
    @Nullable StorageConfig storage,
    double initialBias,
    boolean early,
    boolean scaleFree) {
  /** Refuses sizes that make no memory and switches that contradict each other. */
  public EideticConfig {
    if (capacity < 1 || chunk < 1 || predictorRank < 0) {
      throw new BadInput(
          "eidetic memory with capacity %d, chunk %d and predictorRank %d"
              .formatted(capacity, chunk, predictorRank),
          "expected at least 1, 1 and 0",
          "leave eidetic out for a layer without it");
    }
    if (modulated && selection.joins()) {
      throw new BadInput(
          "modulated " + selection.name().toLowerCase(Locale.ROOT),
          "expected one of the two, since this score already joins the logits",
          "set modulated to false");
    }
    if (!(Math.abs(initialBias) <= 20) || initialBias != 0 && !selection.joins()) {
      throw new BadInput(
          "an initialBias of "
              + initialBias
              + " for selection by "
              + selection.name().toLowerCase(Locale.ROOT),
          "expected −20 to 20, and 0 where no score is learned",
          "Correct it, or leave it out");
    }
    if (scaleFree && !selection.predicts()) {
      throw new BadInput(
          "a scaleFree prediction for selection by " + selection.name().toLowerCase(Locale.ROOT),
          "expected innovation or combined, which predict from the state",
          "set scaleFree to false, or leave it out");
    }
    if (storage != null && positions.turnsKeys()) {
      throw new BadInput(
          "storage with positions " + positions.name().toLowerCase(Locale.ROOT),
          "expected fixed or none, since a stored key is found whatever its distance",
          "set positions to fixed, or leave storage out");
    }
  }

  /** Without storage; b starts at 0. */
  public EideticConfig(
      int capacity,
      int chunk,
      Selection selection,
      FarPositions positions,
      int predictorRank,
      boolean modulated,
      @Nullable Threshold threshold) {
    this(
        capacity,
        chunk,
        selection,
        positions,
        predictorRank,
        modulated,
        threshold,
        null,
        0,
        false,
        false);
  }

  /** This with another storage, or none. */
  public EideticConfig with(@Nullable StorageConfig other) {
    return with(capacity, chunk, other, initialBias, early, scaleFree);
  }

  /** This with room for more tokens or fewer, chosen as often as {@code tokens} say. */
  public EideticConfig sized(int room, int tokens) {
    return with(room, tokens, storage, initialBias, early, scaleFree);
  }

  /** This with b starting elsewhere. */
  public EideticConfig startingAt(double bias) {
    return with(capacity, chunk, storage, bias, early, scaleFree);
  }

  /** This with tokens eligible as early as {@code soon} says. */
  public EideticConfig eligible(boolean soon) {
    return with(capacity, chunk, storage, initialBias, soon, scaleFree);
  }

  /** This predicting from rms(y), or from y. */
  public EideticConfig predictingFrom(boolean normed) {
    return with(capacity, chunk, storage, initialBias, early, normed);
  }

  private EideticConfig with(
      int room,
      int tokens,
      @Nullable StorageConfig other,
      double bias,
      boolean soon,
      boolean normed) {
    return new EideticConfig(
        room,
        tokens,
        selection,
        positions,
        predictorRank,
        modulated,
        threshold,
        other,
        bias,
        soon,
        normed);
  }

  /** How far before a refresh the newest eligible token stands, given the window W. */
  public int behind(int window) {
    return early ? window - chunk + 1 : window;
  }

  /** The best {@code capacity} tokens by {@code selection}, all seen at one distance. */
  public static EideticConfig of(int capacity, int chunk, Selection selection) {
    return new EideticConfig(capacity, chunk, selection, FarPositions.FIXED, 0, false, null);
  }
}
