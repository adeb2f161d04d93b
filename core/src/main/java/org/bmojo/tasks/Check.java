package org.bmojo.tasks;

import org.bmojo.error.BadInput;

/** Refuses a configuration in one line. */
final class Check {
  private Check() {}

  static void that(boolean good, String found, String expected, String cure) {
    if (!good) {
      throw new BadInput(found, expected, cure);
    }
  }

  /** Probabilities that may be 0 but not 1: something must be left over. */
  static void fraction(double p, String name) {
    that(p >= 0 && p < 1, name + " is " + p, "expected 0 ≤ p < 1", "choose a smaller share");
  }

  static void atLeast(int least, int found, String name) {
    that(found >= least, name + " is " + found, "expected at least " + least, "raise the " + name);
  }
}
