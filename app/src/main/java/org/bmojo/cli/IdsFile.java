package org.bmojo.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bmojo.error.BadInput;
import org.bmojo.io.FileTrouble;

/** Token ids in a text file: one sequence a line, separated by spaces, all of one length. */
final class IdsFile {
  private IdsFile() {}

  /** The sequences; blank lines are passed over. */
  static int[][] read(Path file) {
    List<String> lines;
    try {
      lines = Files.readAllLines(file);
    } catch (IOException e) {
      throw FileTrouble.reading(file, e);
    }
    List<int[]> sequences = new ArrayList<>();
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i).strip();
      if (!line.isEmpty()) sequences.add(sequence(line, file + ", line " + (i + 1)));
    }
    if (sequences.isEmpty()) throw refusal(file + " holds no ids");
    int length = sequences.getFirst().length;
    for (int[] s : sequences) {
      if (s.length == length) continue;
      throw refusal(file + " has sequences of " + length + " and of " + s.length + " ids");
    }
    return sequences.toArray(int[][]::new);
  }

  private static int[] sequence(String line, String where) {
    String[] words = line.split("\\s+");
    int[] ids = new int[words.length];
    for (int i = 0; i < ids.length; i++) {
      try {
        ids[i] = Integer.parseInt(words[i]);
      } catch (NumberFormatException e) {
        String word = words[i].length() > 20 ? words[i].substring(0, 20) + "…" : words[i];
        throw refusal(where + ": \"" + word + "\" is no id");
      }
    }
    return ids;
  }

  private static BadInput refusal(String found) {
    return new BadInput(
        found,
        "expected one sequence of ids a line, separated by spaces, all of one length",
        "Correct the file");
  }
}
