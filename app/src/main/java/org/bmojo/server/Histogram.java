package org.bmojo.server;

import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.DoubleAdder;

/** Counts of values below some bounds, as Prometheus reads them. */
final class Histogram {
  private final String name;
  private final String help;
  private final double[] bounds;
  private final AtomicLongArray counts;
  private final DoubleAdder sum = new DoubleAdder();

  Histogram(String name, String help, double... bounds) {
    this.name = name;
    this.help = help;
    this.bounds = bounds.clone();
    counts = new AtomicLongArray(bounds.length + 1);
  }

  void add(double value) {
    int i = 0;
    while (i < bounds.length && value > bounds[i]) i++;
    counts.incrementAndGet(i);
    sum.add(value);
  }

  void write(StringBuilder out) {
    out.append("# HELP ").append(name).append(' ').append(help).append('\n');
    out.append("# TYPE ").append(name).append(" histogram\n");
    long total = 0;
    for (int i = 0; i <= bounds.length; i++) {
      total += counts.get(i);
      String bound = i < bounds.length ? Double.toString(bounds[i]) : "+Inf";
      out.append("%s_bucket{le=\"%s\"} %d\n".formatted(name, bound, total));
    }
    out.append("%s_sum %s\n%s_count %d\n".formatted(name, sum.sum(), name, total));
  }
}
