package org.bmojo.data;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Documents made up from a seed. */
final class Texts {
  private Texts() {}

  static TextSource random(int documents, int longest, long seed) {
    List<Document> all = new ArrayList<>();
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < documents; i++) {
      StringBuilder text = new StringBuilder();
      for (int n = random.nextInt(1, longest + 1); n > 0; n--) {
        text.append((char) random.nextInt('a', 'z' + 1));
      }
      all.add(Document.of("doc-" + i, text.toString()));
    }
    return all::forEach;
  }
}
