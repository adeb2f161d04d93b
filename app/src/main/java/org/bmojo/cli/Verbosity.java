package org.bmojo.cli;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import org.slf4j.LoggerFactory;

/** How much is logged on standard error; logback.xml says where and in what form. */
final class Verbosity {
  private Verbosity() {}

  /** 0: warnings only. 1 ({@code -v}): our decisions. 2 ({@code -vv}): our details. */
  static void set(int level) {
    if (level == 0) return; // Leaves the logging system unstarted until somebody logs.
    Logger ours = (Logger) LoggerFactory.getLogger("org.bmojo");
    ours.setLevel(level == 1 ? Level.INFO : Level.DEBUG);
  }
}
