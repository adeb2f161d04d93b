package org.bmojo.kernels.token;

/** Writes an input where several stages read it. */
public record Normalise(Input input, float[] to) implements Stage {
  @Override
  public int parts() {
    return 1;
  }

  @Override
  public void run(int part, Room room) {
    input.read(to);
  }
}
