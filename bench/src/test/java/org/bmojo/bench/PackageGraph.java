package org.bmojo.bench;

import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.constantpool.ClassEntry;
import java.lang.classfile.constantpool.PoolEntry;
import java.lang.classfile.constantpool.Utf8Entry;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which package uses which, read from class files: every class that a class file names in its
 * constant pool, be it called, extended, thrown, or only part of a signature.
 */
final class PackageGraph {
  /**
   * A class as it appears inside a field's or method's type: {@code Lorg/bmojo/kernels/Kernels;}.
   */
  private static final Pattern IN_TYPE = Pattern.compile("L(org/bmojo/[\\w/$]+)[;<]");

  /** Uses of one package by another, each with the classes that prove it. */
  private final Map<String, Map<String, Set<String>>> uses = new TreeMap<>();

  /** The module of each package, such as "core". */
  private final Map<String, String> modules = new TreeMap<>();

  private final List<String> split = new ArrayList<>();

  /** Adds every class file below {@code folder}. */
  void addAll(String module, Path folder) throws IOException {
    try (var files = Files.walk(folder)) {
      for (Path file : (Iterable<Path>) files.sorted()::iterator) {
        if (file.toString().endsWith(".class")) add(module, Files.readAllBytes(file));
      }
    }
  }

  /** Adds one class file. */
  void add(String module, byte[] classFile) {
    ClassModel model = ClassFile.of().parse(classFile);
    String user = model.thisClass().asInternalName();
    String home = packageOf(user);
    String other = modules.putIfAbsent(home, module);
    if (other != null && !other.equals(module)) {
      split.add(home + " lies in " + other + " and in " + module + " (" + user + ")");
    }
    uses.computeIfAbsent(home, _ -> new TreeMap<>());
    for (PoolEntry entry : model.constantPool()) {
      switch (entry) {
        case ClassEntry c -> note(home, user, c.asInternalName());
        case Utf8Entry text -> {
          Matcher types = IN_TYPE.matcher(text.stringValue());
          while (types.find()) note(home, user, types.group(1));
        }
        default -> {}
      }
    }
  }

  private void note(String home, String user, String used) {
    if (!used.startsWith("org/bmojo/") || packageOf(used).equals(home)) return;
    uses.computeIfAbsent(home, _ -> new TreeMap<>())
        .computeIfAbsent(packageOf(used), _ -> new TreeSet<>())
        .add(user.substring(user.lastIndexOf('/') + 1) + " → " + used.replace('/', '.'));
  }

  Set<String> packages() {
    return uses.keySet();
  }

  /**
   * Every use that breaks the order, in words.
   *
   * @param order the modules, lowest first: each may use itself and those before it
   */
  List<String> upwardUses(List<String> order) {
    List<String> found = new ArrayList<>(split);
    uses.forEach((home, targets) ->
        targets.forEach((used, proof) -> {
          String above = modules.get(used);
          if (above == null) return;
          String below = modules.get(home);
          if (order.indexOf(above) > order.indexOf(below)) {
            found.add(below + " uses " + above + ": " + proof);
          }
        }));
    return found;
  }

  /**
   * Every group of packages that use each other in a circle, in words; empty when there is none.
   * Two packages are in one group if each reaches the other.
   */
  List<String> cycles() {
    Map<String, Set<String>> reached = new TreeMap<>();
    for (String start : uses.keySet()) reached.put(start, reachedFrom(start));

    Set<Set<String>> groups = new LinkedHashSet<>();
    for (String start : uses.keySet()) {
      Set<String> group = new TreeSet<>();
      for (String other : reached.getOrDefault(start, Set.of())) {
        if (reached.getOrDefault(other, Set.of()).contains(start)) group.add(other);
      }
      if (!group.isEmpty()) groups.add(group);
    }
    return groups.stream().map(this::describe).toList();
  }

  /** The packages that {@code start} uses, also through others; itself only if in a cycle. */
  private Set<String> reachedFrom(String start) {
    Set<String> reached = new TreeSet<>();
    List<String> open = new ArrayList<>(List.of(start));
    while (!open.isEmpty()) {
      for (String used : uses.getOrDefault(open.removeLast(), Map.of()).keySet()) {
        if (reached.add(used)) open.add(used);
      }
    }
    return reached;
  }

  private String describe(Set<String> group) {
    StringBuilder text = new StringBuilder("cycle of ").append(group);
    for (String home : group) {
      uses.getOrDefault(home, Map.of())
          .forEach((used, proof) -> {
            if (group.contains(used)) text.append("\n  ").append(proof);
          });
    }
    return text.toString();
  }

  private static String packageOf(String internalName) {
    return internalName.substring(0, internalName.lastIndexOf('/')).replace('/', '.');
  }
}
