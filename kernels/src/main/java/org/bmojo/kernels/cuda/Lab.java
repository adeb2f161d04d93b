package org.bmojo.kernels.cuda;

/** Choices of an experiment, {@code NAME=VALUE,…}: of this thread, else -Dbmojo.lab. */
public final class Lab {
  private static final ThreadLocal<String> HERE =
      ThreadLocal.withInitial(() -> System.getProperty("bmojo.lab", ""));

  private Lab() {}

  public static void set(String choices) {
    HERE.set(choices);
  }

  static int choose(String name, int usual) {
    String value = choose(name, "");
    return value.isEmpty() ? usual : Integer.parseInt(value);
  }

  static String choose(String name, String usual) {
    for (String one : HERE.get().split(",")) {
      if (one.startsWith(name + "=")) return one.substring(name.length() + 1);
    }
    return usual;
  }
}
