package org.bmojo.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.bmojo.kernels.torch.Tensors.scalar;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.model.Batch;
import org.bmojo.model.DenseModel;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.TinyModels;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Ten losses of a whole training run, against a program that shares nothing with it but the initial
 * weights and the batches: {@link DenseModel}, libtorch's autograd, AdamW and the schedule from
 * their formulas. A loss depends on every gradient and update before it.
 */
class GoldenRunTest {
  @ParameterizedTest
  @ValueSource(strings = {"hybrid", "bmojo", "everything"})
  void tenLossesAreThoseOfAnIndependentProgram(String family) {
    double[] wanted = independent(family);
    assertThat(GoldenRun.losses(family, ScalarType.Double))
        .hasSize(GoldenRun.STEPS)
        .containsExactly(wanted, within(1e-9));
    // Random targets, so that there is little to learn; but the updates do show.
    assertThat(wanted[9]).isNotCloseTo(wanted[0], within(1e-3));
  }

  @Test
  void roomsAgreeInFloat32() throws IOException, InterruptedException {
    List<String> families = List.of("hybrid", "bmojo");
    List<double[]> reference = inAnotherJvm("reference", families);
    List<double[]> cpu = inAnotherJvm("cpu", families);
    for (int i = 0; i < families.size(); i++) {
      double[] wanted = independent(families.get(i));
      assertThat(reference.get(i)).containsExactly(wanted, within(1e-4));
      assertThat(cpu.get(i)).containsExactly(wanted, within(1e-4));
    }
  }

  /** A JVM keeps the room it was started with. */
  private static List<double[]> inAnotherJvm(String room, List<String> families)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Xmx512m"));
    command.addAll(List.of("--add-modules", "jdk.incubator.vector", "-Dbmojo.kernels=" + room));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(GoldenRun.class.getName());
    command.addAll(families);
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    return output
        .lines()
        .filter(line -> line.startsWith("losses "))
        .map(line ->
            Arrays.stream(line.substring(7).split(" ")).mapToDouble(Double::parseDouble).toArray())
        .toList();
  }

  private static double[] independent(String family) {
    double[] losses = new double[GoldenRun.STEPS];
    try (Scope scope = new Scope();
        LanguageModel start = GoldenRun.model(family, ScalarType.Double)) {
      Map<String, Tensor> w = TinyModels.leaves(start);
      Map<String, Tensor> mean = new LinkedHashMap<>(), square = new LinkedHashMap<>();
      w.forEach((name, t) -> {
        mean.put(name, torch.zeros_like(t.detach()));
        square.put(name, torch.zeros_like(t.detach()));
      });
      for (int n = 1; n <= losses.length; n++) {
        Batch batch = GoldenRun.batch(n);
        DenseModel model = DenseModel.of(GoldenRun.config(family), w, batch.ids());
        losses[n - 1] = model.loss(batch.targets()).item_double();
        model.total(batch.targets()).backward();
        Map<String, Tensor> gradients = new LinkedHashMap<>();
        w.forEach((name, t) -> gradients.put(name, t.grad().clone()));
        double norm =
            Math.sqrt(
                gradients.values().stream().mapToDouble(g -> g.square().sum().item_double()).sum());
        double rate =
            n <= 3 ? 0.02 * n / 3 : 0.02 * (0.1 + 0.9 * (1 + Math.cos(Math.PI * (n - 3) / 7)) / 2);
        for (Map.Entry<String, Tensor> e : gradients.entrySet()) {
          String name = e.getKey();
          Tensor g = e.getValue().mul(scalar(Math.min(1, 1 / norm)));
          Tensor m = get(mean, name).mul(scalar(0.8)).add(g.mul(scalar(0.2)));
          Tensor v = get(square, name).mul(scalar(0.95)).add(g.square().mul(scalar(0.05)));
          mean.put(name, m);
          square.put(name, v);
          Tensor step = m.mul(scalar(1 / (1 - Math.pow(0.8, n))));
          step = step.div(v.mul(scalar(1 / (1 - Math.pow(0.95, n)))).sqrt().add(scalar(1e-8)));
          Tensor before = get(w, name).detach();
          double decay = name.matches(".*(_proj|tokens|head|down|up)\\.weight") ? 0.1 : 0;
          Tensor after = before.mul(scalar(1 - rate * decay)).sub(step.mul(scalar(rate)));
          w.put(name, after.set_requires_grad(true));
        }
      }
    }
    return losses;
  }

  private static Tensor get(Map<String, Tensor> tensors, String name) {
    return Objects.requireNonNull(tensors.get(name), name);
  }
}
