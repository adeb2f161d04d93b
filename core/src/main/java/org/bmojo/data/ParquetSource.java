package org.bmojo.data;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.apache.parquet.ParquetReadOptions;
import org.apache.parquet.column.ColumnDescriptor;
import org.apache.parquet.column.ColumnReader;
import org.apache.parquet.column.impl.ColumnReadStoreImpl;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.conf.PlainParquetConfiguration;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.io.LocalInputFile;
import org.apache.parquet.io.api.Converter;
import org.apache.parquet.io.api.GroupConverter;
import org.apache.parquet.io.api.PrimitiveConverter;
import org.apache.parquet.schema.LogicalTypeAnnotation.JsonLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.StringLogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.Type;
import org.bmojo.error.BadInput;
import org.bmojo.io.FileTrouble;

/**
 * One document a row of a Parquet file: the string in {@code column}; no other column is read.
 * Nulls and empty strings are passed over.
 */
record ParquetSource(Path file, String column) implements TextSource {
  @Override
  public void forEach(Consumer<Document> action) {
    if (readAs(file.getFileName().toString(), action) == 0) throw PlainFile.empty(file.toString());
  }

  /**
   * The same with documents called after {@code name}.
   *
   * @return how many there were
   */
  long readAs(String name, Consumer<Document> action) {
    Rows rows = new Rows(name, action);
    try (ParquetFileReader reader =
        ParquetFileReader.open(
            new LocalInputFile(file),
            ParquetReadOptions.builder(new PlainParquetConfiguration())
                .withCodecFactory(new ParquetCodecs(file))
                .build())) {
      MessageType all = reader.getFileMetaData().getSchema();
      MessageType one = new MessageType(all.getName(), List.of(textColumn(all)));
      reader.setRequestedSchema(one);
      ColumnDescriptor descriptor = one.getColumns().getFirst();
      String writer = reader.getFileMetaData().getCreatedBy();
      for (PageReadStore group; (group = reader.readNextRowGroup()) != null; ) {
        var store = new ColumnReadStoreImpl(group, new NoConverter(), one, writer);
        rows.read(store.getColumnReader(descriptor), group.getRowCount());
      }
    } catch (BadInput e) {
      throw e;
    } catch (IOException e) {
      throw FileTrouble.reading(file, e);
    } catch (RuntimeException e) {
      // The reader throws whatever it stumbles over.
      throw new BadInput(
          file + " is not the Parquet that it should be: " + e.getMessage(),
          "expected an undamaged Parquet file",
          "Copy the file anew");
    }
    return rows.count;
  }

  private Type textColumn(MessageType schema) {
    List<String> names = schema.getFields().stream().map(Type::getName).toList();
    if (!names.contains(column)) throw bad("has no column \"" + column + "\", but " + names);
    Type type = schema.getType(column);
    var kind = type.getLogicalTypeAnnotation();
    boolean text =
        kind instanceof StringLogicalTypeAnnotation || kind instanceof JsonLogicalTypeAnnotation;
    if (text && type.isPrimitive() && !type.isRepetition(Type.Repetition.REPEATED)) return type;
    throw bad("has no string in the column \"" + column + "\" but " + type);
  }

  private BadInput bad(String what) {
    return new BadInput(
        file + " " + what,
        "expected a column of strings",
        "Name the column that holds the text, as in " + file.getFileName() + "#content");
  }

  /** Hands out what rows of the column hold. */
  private final class Rows {
    private final String name;
    private final Consumer<Document> action;
    private long row;
    private long count;

    Rows(String name, Consumer<Document> action) {
      this.name = name;
      this.action = action;
    }

    void read(ColumnReader reader, long rows) {
      int there = reader.getDescriptor().getMaxDefinitionLevel();
      for (long i = 0; i < rows; i++) {
        row++;
        if (reader.getCurrentDefinitionLevel() == there) take(reader.getBinary().getBytes());
        reader.consume();
      }
    }

    private void take(byte[] utf8) {
      if (utf8.length == 0) return;
      int fault = PlainText.firstFault(utf8);
      if (fault >= 0) throw bad("row " + row + " is not text: byte " + fault);
      action.accept(new Document(name + "#" + row, utf8));
      count++;
    }
  }

  /** A column is read value by value: nothing is assembled to records. */
  private static final class NoConverter extends GroupConverter {
    @Override
    public Converter getConverter(int field) {
      return new PrimitiveConverter() {};
    }

    @Override
    public void start() {}

    @Override
    public void end() {}
  }
}
