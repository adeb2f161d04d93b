package org.bmojo.serve;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32C;
import org.bmojo.checkpoint.ModelJson;
import org.bmojo.io.Json;
import org.bmojo.kernels.op.PackedMatrix;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.model.LanguageModel;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Tells models apart: equal for models of equal configuration, weights and type of weights, and for
 * no others. Reads all weights once.
 */
final class Fingerprint {
  private static final long STEP = 1 << 30;

  private Fingerprint() {}

  /** 32 hexadecimal digits. */
  static String of(LanguageModel model) {
    MessageDigest digest = sha256();
    digest.update(Json.bytes(ModelJson.write(model.config())));
    Map<String, Tensor> all = new LinkedHashMap<>();
    model
        .parameters()
        .forEach((name, parameter) -> add(all, name, parameter.packed(), parameter.value()));
    if (model.config().tied()) add(all, "head", model.packedHead(), null);
    all.forEach((name, tensor) -> {
      try (Scope _ = new Scope()) {
        Tensor weights = tensor.detach().cpu().contiguous();
        String line =
            "%s %s %s %x\n"
                .formatted(
                    name,
                    weights.scalar_type().intern(),
                    Arrays.toString(Shapes.of(weights)),
                    checksum(weights));
        digest.update(line.getBytes(StandardCharsets.UTF_8));
      }
    });
    return HexFormat.of().formatHex(digest.digest(), 0, 16);
  }

  private static void add(
      Map<String, Tensor> all, String name, @Nullable PackedMatrix packed, @Nullable Tensor whole) {
    if (packed == null) {
      if (whole != null) all.put(name, whole);
      return;
    }
    int i = 0;
    for (Tensor t : packed.tensors()) all.put(name + ":" + packed.format() + i++, t);
  }

  private static long checksum(Tensor t) {
    CRC32C crc = new CRC32C();
    long bytes = t.numel() * t.element_size();
    if (bytes == 0) return 0;
    MemorySegment data = MemorySegment.ofAddress(t.data_ptr().address()).reinterpret(bytes);
    for (long at = 0; at < bytes; at += STEP) {
      crc.update(data.asSlice(at, Math.min(STEP, bytes - at)).asByteBuffer());
    }
    return crc.getValue();
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }
}
