package org.bmojo.store.lucene;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** How precisely values are kept. */
public enum Precision {
  /** Two bytes a number, relative error 2^−8. */
  BF16 {
    @Override
    byte[] encode(float[] v) {
      byte[] bytes = new byte[2 * v.length];
      ByteBuffer out = little(bytes);
      for (float x : v) {
        int bits = Float.floatToRawIntBits(x);
        int even = bits + 0x7fff + ((bits >>> 16) & 1); // to nearest, ties to even
        out.putShort((short) (even >>> 16));
      }
      return bytes;
    }

    @Override
    void decode(ByteBuffer in, float[] v) {
      for (int i = 0; i < v.length; i++) v[i] = Float.intBitsToFloat(in.getShort() << 16);
    }
  },

  /** One byte a number and a scale a vector, error 2^−8 of the vector's largest element. */
  INT8 {
    @Override
    byte[] encode(float[] v) {
      float largest = 0;
      for (float x : v) largest = Math.max(largest, Math.abs(x));
      float scale = largest == 0 ? 1 : largest / 127;
      byte[] bytes = new byte[Float.BYTES + v.length];
      ByteBuffer out = little(bytes).putFloat(scale);
      for (float x : v) out.put((byte) Math.round(x / scale));
      return bytes;
    }

    @Override
    void decode(ByteBuffer in, float[] v) {
      float scale = in.getFloat();
      for (int i = 0; i < v.length; i++) v[i] = in.get() * scale;
    }
  };

  abstract byte[] encode(float[] v);

  abstract void decode(ByteBuffer in, float[] v);

  float[] decode(byte[] bytes, int offset, int length, int dimension) {
    float[] v = new float[dimension];
    decode(little(bytes).position(offset).limit(offset + length), v);
    return v;
  }

  private static ByteBuffer little(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
