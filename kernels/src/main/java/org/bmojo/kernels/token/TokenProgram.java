package org.bmojo.kernels.token;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bmojo.kernels.op.PackedMatrix;

/**
 * A token's way through a model: stages that run one after the other, each on all cores. Stages
 * read and write arrays and states' memory that they were made with, so a program serves one token
 * at a time.
 */
public final class TokenProgram {
  private final List<Stage> list = new ArrayList<>();
  private Stage[] stages = {};

  /** Parts are numbered through the whole program; the first of each stage, and their number. */
  private int[] first = {0};

  /** The stage of each part. */
  private int[] stageOf = {};

  /** Adds a stage behind the others. */
  public TokenProgram add(Stage stage) {
    list.add(stage);
    stages = list.toArray(Stage[]::new);
    first = new int[stages.length + 1];
    for (int s = 0; s < stages.length; s++) first[s + 1] = first[s] + stages[s].parts();
    stageOf = new int[first[stages.length]];
    for (int s = 0; s < stages.length; s++) Arrays.fill(stageOf, first[s], first[s + 1], s);
    return this;
  }

  /** Room for {@code length} results of products: zeros, as many as whole pairs of blocks. */
  public static float[] vector(int length) {
    int unit = 2 * PackedMatrix.BLOCK;
    return new float[(length + unit - 1) / unit * unit];
  }

  /** Runs all stages. */
  public void run() {
    Crew.run(this);
  }

  int parts() {
    return stageOf.length;
  }

  /** How many parts must have ended before {@code part} may begin. */
  int before(int part) {
    return first[stageOf[part]];
  }

  void run(int part, Room room) {
    int stage = stageOf[part];
    stages[stage].run(part - first[stage], room);
  }
}
