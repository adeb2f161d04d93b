package org.bmojo.store.lucene;

import java.io.IOException;
import org.apache.lucene.document.BinaryDocValuesField;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.FloatDocValuesField;
import org.apache.lucene.document.KnnFloatVectorField;
import org.apache.lucene.document.NumericDocValuesField;
import org.apache.lucene.document.SortedDocValuesField;
import org.apache.lucene.document.StringField;
import org.apache.lucene.index.FloatVectorValues;
import org.apache.lucene.index.KnnVectorValues;
import org.apache.lucene.index.LeafReader;
import org.apache.lucene.index.NumericDocValues;
import org.apache.lucene.index.SortedDocValues;
import org.apache.lucene.index.VectorSimilarityFunction;
import org.apache.lucene.util.BytesRef;
import org.bmojo.store.Entry;
import org.bmojo.store.Source;
import org.bmojo.store.TextSpan;
import org.jspecify.annotations.Nullable;

/** An entry as a document, and back. */
final class EntryFields {
  static final String SESSION = "session";
  static final String DOCUMENT = "document";
  static final String POSITION = "position";
  static final String INNOVATION = "innovation";
  static final String STORED_AT = "storedAt";

  /** Counts entries in the order in which they came. */
  static final String SEQUENCE = "sequence";

  private static final String VALUE = "value";
  private static final String BEGIN = "begin";
  private static final String END = "end";

  private EntryFields() {}

  /** The vector field of a layer's head. */
  static String keys(int layer, int head) {
    return "key-" + layer + "-" + head;
  }

  static Document document(Entry entry, long sequence, Precision precision) {
    Document document = new Document();
    document.add(
        new KnnFloatVectorField(
            keys(entry.layer(), entry.head()),
            entry.key(),
            VectorSimilarityFunction.MAXIMUM_INNER_PRODUCT));
    document.add(new BinaryDocValuesField(VALUE, new BytesRef(precision.encode(entry.value()))));
    document.add(new FloatDocValuesField(INNOVATION, entry.innovation()));
    // Neighbours were written one after the other, so a skip list serves ranges as well as a tree
    // would, and costs a thousandth.
    document.add(NumericDocValuesField.indexedField(POSITION, entry.position()));
    document.add(NumericDocValuesField.indexedField(SEQUENCE, sequence));
    Source source = entry.source();
    document.add(NumericDocValuesField.indexedField(STORED_AT, source.storedAt()));
    addName(document, SESSION, source.session());
    TextSpan span = source.span();
    if (span != null) {
      addName(document, DOCUMENT, span.document());
      document.add(new NumericDocValuesField(BEGIN, span.begin()));
      document.add(new NumericDocValuesField(END, span.end()));
    }
    return document;
  }

  private static void addName(Document document, String field, String name) {
    document.add(new StringField(field, name, Field.Store.NO)); // to be found by
    document.add(new SortedDocValuesField(field, new BytesRef(name))); // to be read
  }

  /** The entry in document {@code doc} of a segment. */
  static Entry entry(LeafReader segment, int doc, int layer, int head, Precision precision)
      throws IOException {
    float[] key = key(segment, doc, keys(layer, head));
    var values = segment.getBinaryDocValues(VALUE);
    if (values == null || !values.advanceExact(doc)) throw missing(VALUE, doc);
    BytesRef bytes = values.binaryValue();
    float[] value = precision.decode(bytes.bytes, bytes.offset, bytes.length, key.length);
    String session = name(segment, doc, SESSION);
    if (session == null) throw missing(SESSION, doc);
    String document = name(segment, doc, DOCUMENT);
    TextSpan span =
        document == null
            ? null
            : new TextSpan(document, number(segment, doc, BEGIN), number(segment, doc, END));
    return new Entry(
        layer,
        head,
        key,
        value,
        number(segment, doc, POSITION),
        Float.intBitsToFloat((int) number(segment, doc, INNOVATION)),
        new Source(session, number(segment, doc, STORED_AT), span));
  }

  private static float[] key(LeafReader segment, int doc, String field) throws IOException {
    FloatVectorValues keys = segment.getFloatVectorValues(field);
    if (keys == null) throw missing(field, doc);
    KnnVectorValues.DocIndexIterator at = keys.iterator();
    if (at.advance(doc) != doc) throw missing(field, doc);
    return keys.vectorValue(at.index()).clone(); // The reader's own array is used again.
  }

  static long number(LeafReader segment, int doc, String field) throws IOException {
    NumericDocValues numbers = segment.getNumericDocValues(field);
    if (numbers == null || !numbers.advanceExact(doc)) throw missing(field, doc);
    return numbers.longValue();
  }

  private static @Nullable String name(LeafReader segment, int doc, String field)
      throws IOException {
    SortedDocValues names = segment.getSortedDocValues(field);
    if (names == null || !names.advanceExact(doc)) return null;
    return names.lookupOrd(names.ordValue()).utf8ToString();
  }

  private static IOException missing(String field, int doc) {
    return new IOException("entry " + doc + " has no " + field);
  }
}
