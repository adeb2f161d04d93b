package org.bmojo.bench;

import static java.lang.constant.ConstantDescs.CD_void;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * No cycles between packages, and modules that use each other one way only. Here because bench is
 * built last, so that every module's classes are there to be read.
 */
class ArchitectureTest {
  private static final List<String> LOWEST_FIRST = List.of("kernels", "core", "app", "bench");

  @Test
  void packagesUseEachOtherWithoutCycles() throws IOException {
    assertThat(compiled().cycles()).isEmpty();
  }

  @Test
  void benchUsesAppUsesCoreUsesKernels() throws IOException {
    assertThat(compiled().upwardUses(LOWEST_FIRST)).isEmpty();
  }

  private static PackageGraph compiled() throws IOException {
    PackageGraph graph = new PackageGraph();
    for (String module : LOWEST_FIRST) {
      Path classes = Path.of("..", module, "target", "classes");
      if (Files.isDirectory(classes)) graph.addAll(module, classes);
    }
    // Read from the wrong folder, no rule would ever be broken.
    assertThat(graph.packages()).contains("org.bmojo.error", "org.bmojo.cli");
    return graph;
  }

  @Test
  void aPlantedCycleIsFoundThroughAThirdPackageAndASignature() {
    PackageGraph graph = new PackageGraph();
    graph.add("core", classUsing("org.bmojo.a.A", "org.bmojo.b.B"));
    graph.add("core", classUsing("org.bmojo.b.B", "org.bmojo.c.C"));
    graph.add("core", classUsing("org.bmojo.c.C", "org.bmojo.d.D"));
    assertThat(graph.cycles()).isEmpty();

    graph.add("core", classUsing("org.bmojo.c.C2", "org.bmojo.a.A"));
    assertThat(graph.cycles())
        .singleElement()
        .asString()
        .contains("[org.bmojo.a, org.bmojo.b, org.bmojo.c]")
        .contains("A → org.bmojo.b.B", "B → org.bmojo.c.C", "C2 → org.bmojo.a.A")
        .doesNotContain("org.bmojo.d");
  }

  @Test
  void twoCyclesAreTwo() {
    PackageGraph graph = new PackageGraph();
    graph.add("core", classUsing("org.bmojo.a.A", "org.bmojo.b.B"));
    graph.add("core", classUsing("org.bmojo.b.B", "org.bmojo.a.A"));
    graph.add("core", classUsing("org.bmojo.c.C", "org.bmojo.d.D"));
    graph.add("core", classUsing("org.bmojo.d.D", "org.bmojo.c.C"));
    graph.add("core", classUsing("org.bmojo.a.A2", "org.bmojo.c.C"));
    assertThat(graph.cycles()).hasSize(2);
  }

  @Test
  void aPlantedUpwardUseAndASplitPackageAreFound() {
    PackageGraph graph = new PackageGraph();
    graph.add("kernels", classUsing("org.bmojo.a.A", "org.bmojo.b.B"));
    graph.add("core", classUsing("org.bmojo.b.B", "java.lang.Object"));
    graph.add("app", classUsing("org.bmojo.c.C", "org.bmojo.b.B"));
    assertThat(graph.upwardUses(LOWEST_FIRST))
        .containsExactly("kernels uses core: [A → org.bmojo.b.B]");

    graph.add("app", classUsing("org.bmojo.b.B2", "java.lang.Object"));
    assertThat(graph.upwardUses(LOWEST_FIRST)).hasSize(2).anyMatch(l -> l.contains("core and in"));
  }

  @Test
  void calledAndExtendedClassesCount() {
    byte[] called =
        ClassFile.of()
            .build(
                ClassDesc.of("org.bmojo.a.A"),
                builder ->
                    builder.withMethodBody(
                        "run",
                        MethodTypeDesc.of(CD_void),
                        ClassFile.ACC_STATIC,
                        code ->
                            code.invokestatic(
                                    ClassDesc.of("org.bmojo.b.B"), "f", MethodTypeDesc.of(CD_void))
                                .return_()));
    byte[] extended =
        ClassFile.of()
            .build(
                ClassDesc.of("org.bmojo.c.C"),
                builder -> builder.withSuperclass(ClassDesc.of("org.bmojo.d.D")));
    PackageGraph graph = new PackageGraph();
    graph.add("core", called);
    graph.add("core", extended);
    graph.add("core", classUsing("org.bmojo.b.B", "org.bmojo.a.A"));
    graph.add("core", classUsing("org.bmojo.d.D", "org.bmojo.c.C"));
    assertThat(graph.cycles()).hasSize(2);
  }

  /** A class file whose only mention of {@code used} is the type of a field. */
  private static byte[] classUsing(String name, String used) {
    return ClassFile.of()
        .build(
            ClassDesc.of(name),
            builder -> builder.withField("field", ClassDesc.of(used), ClassFile.ACC_PRIVATE));
  }
}
