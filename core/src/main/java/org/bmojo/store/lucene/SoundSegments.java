package org.bmojo.store.lucene;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexFileNames;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.index.SegmentCommitInfo;
import org.apache.lucene.index.SegmentInfos;
import org.apache.lucene.store.ByteBuffersDirectory;
import org.apache.lucene.store.Directory;
import org.apache.lucene.store.FilterDirectory;
import org.apache.lucene.store.IOContext;
import org.apache.lucene.store.IndexInput;

/**
 * Which segments of the last commit can be read, every byte of them: the checksums are computed, so
 * that a flipped bit is found now and not taken for a key later.
 *
 * @param all the last commit
 * @param damaged what is wrong, one line for each segment that cannot be used
 */
record SoundSegments(SegmentInfos all, List<SegmentCommitInfo> sound, List<String> damaged) {

  /**
   * @throws IOException if the list of segments itself cannot be read
   */
  static SoundSegments of(Directory directory) throws IOException {
    SegmentInfos all = SegmentInfos.readLatestCommit(directory);
    List<SegmentCommitInfo> sound = new ArrayList<>();
    List<String> damaged = new ArrayList<>();
    for (SegmentCommitInfo segment : all) {
      try (DirectoryReader alone = open(directory, all, List.of(segment))) {
        for (LeafReaderContext leaf : alone.leaves()) leaf.reader().checkIntegrity();
        sound.add(segment);
      } catch (IOException | RuntimeException e) { // A parser of damaged bytes throws anything.
        damaged.add("segment " + segment.info.name + " (" + reason(e) + ")");
      }
    }
    return new SoundSegments(all, sound, damaged);
  }

  /** Reads the sound segments only. */
  DirectoryReader open(Directory directory) throws IOException {
    return open(directory, all, sound);
  }

  private static String reason(Exception e) {
    return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
  }

  private static DirectoryReader open(
      Directory directory, SegmentInfos all, List<SegmentCommitInfo> wanted) throws IOException {
    SegmentInfos some = all.clone();
    some.clear();
    some.addAll(wanted);
    Directory list = new ByteBuffersDirectory();
    some.commit(list);
    return DirectoryReader.open(new OtherCommit(directory, list));
  }

  /** A directory whose list of segments lies elsewhere. Nothing is written to either. */
  private static final class OtherCommit extends FilterDirectory {
    private final Directory list;

    OtherCommit(Directory in, Directory list) {
      super(in);
      this.list = list;
    }

    private static boolean isList(String name) {
      return name.startsWith(IndexFileNames.SEGMENTS);
    }

    @Override
    public String[] listAll() throws IOException {
      Stream<String> segments = Arrays.stream(in.listAll()).filter(name -> !isList(name));
      return Stream.concat(segments, Arrays.stream(list.listAll())).sorted().toArray(String[]::new);
    }

    @Override
    public IndexInput openInput(String name, IOContext context) throws IOException {
      return (isList(name) ? list : in).openInput(name, context);
    }

    @Override
    public void close() {} // The directory below belongs to the store.
  }
}
