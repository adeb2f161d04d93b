package org.bmojo.parallel;

import java.util.Map;
import java.util.Objects;
import org.bmojo.error.BadInput;
import org.jspecify.annotations.Nullable;

/**
 * Which of several processes this one is.
 *
 * @param rank of this process, from 0
 * @param size how many there are
 * @param local rank among those of this machine: the number of its GPU
 * @param address where the first process listens
 * @param port where it does
 * @param attempt which one it is, where the launcher itself listens there and may begin anew, as
 *     torchrun does; null where the first process listens
 */
public record Ranks(
    int rank, int size, int local, String address, int port, @Nullable String attempt) {
  /** A process of its own. */
  public static final Ranks ALONE = new Ranks(0, 1, 0, "", 0);

  /** PyTorch's habit. */
  private static final int USUAL_PORT = 29_500;

  private static final String CURE =
      "Start it with torchrun, srun, mpirun or a training operator, or set all of RANK,"
          + " WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT";

  /** Where the first process listens itself. */
  public Ranks(int rank, int size, int local, String address, int port) {
    this(rank, size, local, address, port, null);
  }

  /** Refuses ranks that cannot be. */
  public Ranks {
    if (size < 1 || rank < 0 || rank >= size || local < 0 || local > rank) {
      throw new BadInput(
          "rank " + rank + " of " + size + ", local rank " + local,
          "expected 0 ≤ local rank ≤ rank < size",
          CURE);
    }
    if (size > 1 && (address.isEmpty() || port < 1 || port > 65_535)) {
      throw new BadInput(
          "the first process at '" + address + "', port " + port,
          "expected a host name and a port",
          CURE);
    }
  }

  /**
   * As the launcher of this process says.
   *
   * @param environment {@link System#getenv()}
   * @return {@link #ALONE} where no launcher says anything
   */
  public static Ranks of(Map<String, String> environment) {
    String rank = first(environment, "RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID");
    String size =
        first(environment, "WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS");
    if (rank == null && size == null) return ALONE;
    if (size != null && number("the number of processes", size) == 1) return ALONE;
    if (rank == null || size == null) {
      throw new BadInput(
          rank == null ? "a number of processes but no rank" : "a rank but no number of processes",
          "expected both",
          CURE);
    }
    String local =
        first(
            environment,
            "LOCAL_RANK",
            "OMPI_COMM_WORLD_LOCAL_RANK",
            "MPI_LOCALRANKID",
            "SLURM_LOCALID");
    String port = first(environment, "MASTER_PORT");
    String agent = first(environment, "TORCHELASTIC_USE_AGENT_STORE");
    String attempt = first(environment, "TORCHELASTIC_RESTART_COUNT");
    return new Ranks(
        number("rank", rank),
        number("the number of processes", size),
        local == null ? 0 : number("local rank", local),
        address(environment, size),
        port == null ? USUAL_PORT : number("MASTER_PORT", port),
        "True".equals(agent) ? Objects.requireNonNullElse(attempt, "0") : null);
  }

  /** As told; else Slurm's first machine, or this one if MPI has all processes here. */
  private static String address(Map<String, String> environment, String size) {
    String told = first(environment, "MASTER_ADDR", "SLURM_LAUNCH_NODE_IPADDR");
    if (told != null) return told;
    String here = first(environment, "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS");
    return size.equals(here) ? "127.0.0.1" : "";
  }

  private static @Nullable String first(Map<String, String> environment, String... names) {
    for (String name : names) {
      String value = environment.get(name);
      if (value != null && !value.isBlank()) return value.strip();
    }
    return null;
  }

  private static int number(String what, String text) {
    try {
      return Integer.parseInt(text);
    } catch (NumberFormatException e) {
      throw new BadInput(what + " '" + text + "'", "expected a number", CURE);
    }
  }

  /** Whether there are others. */
  public boolean areMany() {
    return size > 1;
  }

  /** Whether this is the one that writes and reports. */
  public boolean isFirst() {
    return rank == 0;
  }

  /** Whether the launcher keeps the table in which processes find each other. */
  boolean launcherServes() {
    return attempt != null;
  }

  /** A key of that table that no earlier attempt has used. */
  String key(String name) {
    return "bmojo " + (attempt == null ? "" : attempt + " ") + name;
  }
}
