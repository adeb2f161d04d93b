package org.bmojo.foreign;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Our parameters' names to a checkpoint's: the longest prefix that fits is replaced. */
public final class Renaming {
  private final Map<String, List<String>> prefixes = new LinkedHashMap<>();

  /**
   * Names that begin with {@code ours} begin with {@code theirs} there.
   *
   * @param theirs the usual prefix, then others that are read as well
   */
  Renaming map(String ours, String... theirs) {
    prefixes.put(ours, List.of(theirs));
    return this;
  }

  /** What a parameter may be called, the usual name first. */
  public List<String> theirs(String ours) {
    String longest = "";
    for (String prefix : prefixes.keySet()) {
      if (ours.startsWith(prefix) && prefix.length() > longest.length()) longest = prefix;
    }
    List<String> names = new ArrayList<>();
    for (String theirs : prefixes.getOrDefault(longest, List.of(""))) {
      names.add(theirs + ours.substring(longest.length()));
    }
    return names;
  }
}
