package org.bmojo.kernels.token;

/**
 * Work that begins when all stages before it have ended. It is cut into parts, which different
 * threads run in any order; no part reads what another part of the stage writes.
 */
public interface Stage {
  /** How many parts there are. */
  int parts();

  /**
   * Runs one of them.
   *
   * @param room of this thread
   */
  void run(int part, Room room);

  /** Several stages that do not need each other, as one. */
  static Stage together(Stage... stages) {
    return new Stage() {
      @Override
      public int parts() {
        int sum = 0;
        for (Stage s : stages) sum += s.parts();
        return sum;
      }

      @Override
      public void run(int part, Room room) {
        int rest = part;
        for (Stage s : stages) {
          int own = s.parts();
          if (rest < own) {
            s.run(rest, room);
            return;
          }
          rest -= own;
        }
        throw new IndexOutOfBoundsException(part);
      }
    };
  }
}
