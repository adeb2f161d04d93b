package org.bmojo.checkpoint;

import java.util.Arrays;
import java.util.Optional;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Element types that a safetensors file and libtorch have in common, by their names in the file.
 */
public enum Dtype {
  F64(8, ScalarType.Double),
  F32(4, ScalarType.Float),
  F16(2, ScalarType.Half),
  BF16(2, ScalarType.BFloat16),
  I64(8, ScalarType.Long),
  I32(4, ScalarType.Int),
  I16(2, ScalarType.Short),
  I8(1, ScalarType.Char),
  U8(1, ScalarType.Byte),
  BOOL(1, ScalarType.Bool);

  private final int bytes;
  private final ScalarType torch;

  Dtype(int bytes, ScalarType torch) {
    this.bytes = bytes;
    this.torch = torch;
  }

  /** Bytes per element. */
  public int bytes() {
    return bytes;
  }

  /** The same in libtorch. */
  public ScalarType torch() {
    return torch;
  }

  static Optional<Dtype> named(String name) {
    return Arrays.stream(values()).filter(d -> d.name().equals(name)).findFirst();
  }

  static Optional<Dtype> of(ScalarType torch) {
    ScalarType type = torch.intern();
    return Arrays.stream(values()).filter(d -> d.torch == type).findFirst();
  }
}
