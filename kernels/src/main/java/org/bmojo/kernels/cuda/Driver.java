package org.bmojo.kernels.cuda;

import static org.bytedeco.cuda.global.cudart.cuGetErrorString;
import static org.bytedeco.cuda.global.cudart.cudaGetErrorString;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerPointer;

/** Return codes of CUDA's two interfaces as exceptions. */
final class Driver {
  private Driver() {}

  /** Throws unless a runtime call ({@code cuda…}) succeeded. */
  static void check(String what, int result) {
    if (result == 0) return;
    throw new IllegalStateException(
        "CUDA, " + what + ": " + cudaGetErrorString(result).getString());
  }

  /** Throws unless a driver call ({@code cu…}) succeeded. */
  static void checkDriver(String what, int result) {
    if (result == 0) return;
    try (PointerPointer<BytePointer> text = new PointerPointer<>(1)) {
      cuGetErrorString(result, text);
      BytePointer message = text.get(BytePointer.class);
      throw new IllegalStateException(
          "CUDA, " + what + ": " + (message == null ? "error " + result : message.getString()));
    }
  }
}
