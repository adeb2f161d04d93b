package org.bmojo.data;

import com.github.luben.zstd.Zstd;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;
import org.apache.parquet.bytes.BytesInput;
import org.apache.parquet.compression.CompressionCodecFactory;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.bmojo.error.BadInput;
import org.xerial.snappy.Snappy;

/** How the pages of a Parquet file are unpacked: without Hadoop's codecs. */
record ParquetCodecs(Path file) implements CompressionCodecFactory {
  /** A whole page to a whole page. */
  private interface Unpacking {
    byte[] unpack(byte[] packed, int size) throws IOException;
  }

  @Override
  public BytesInputDecompressor getDecompressor(CompressionCodecName codec) {
    return switch (codec) {
      case UNCOMPRESSED -> new Decompressor((packed, _) -> packed);
      case SNAPPY -> new Decompressor((packed, _) -> Snappy.uncompress(packed));
      case ZSTD -> new Decompressor(Zstd::decompress);
      case GZIP -> new Decompressor(ParquetCodecs::gunzip);
      default ->
          throw new BadInput(
              file + " is packed with " + codec,
              "expected none of it, snappy, zstd or gzip",
              "Write the file anew with one of these");
    };
  }

  private static byte[] gunzip(byte[] packed, int size) throws IOException {
    try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(packed))) {
      return in.readNBytes(size);
    }
  }

  private record Decompressor(Unpacking unpacking) implements BytesInputDecompressor {
    @Override
    public BytesInput decompress(BytesInput bytes, int size) throws IOException {
      return BytesInput.from(unpacking.unpack(bytes.toByteArray(), size));
    }

    @Override
    public void decompress(ByteBuffer from, int packedSize, ByteBuffer into, int size)
        throws IOException {
      byte[] packed = new byte[packedSize];
      from.get(packed);
      into.put(unpacking.unpack(packed, size));
    }

    @Override
    public void release() {}
  }

  @Override
  public BytesInputCompressor getCompressor(CompressionCodecName codec) {
    throw new UnsupportedOperationException("files are only read");
  }

  @Override
  public void release() {}
}
