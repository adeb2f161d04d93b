package org.bmojo.parallel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.Map;
import org.bmojo.error.BadInput;
import org.junit.jupiter.api.Test;

class RanksTest {
  @Test
  void torchrunAndOperators() {
    Map<String, String> environment =
        Map.of(
            "RANK",
            "5",
            "WORLD_SIZE",
            "8",
            "LOCAL_RANK",
            "1",
            "MASTER_ADDR",
            "node-0",
            "MASTER_PORT",
            "29500");
    assertThat(Ranks.of(environment)).isEqualTo(new Ranks(5, 8, 1, "node-0", 29500));
  }

  @Test
  void slurmAndMpiCountForThemselves() {
    Map<String, String> slurm =
        Map.of(
            "SLURM_PROCID",
            "3",
            "SLURM_NTASKS",
            "4",
            "SLURM_LOCALID",
            "3",
            "MASTER_ADDR",
            "a",
            "MASTER_PORT",
            "1");
    assertThat(Ranks.of(slurm)).isEqualTo(new Ranks(3, 4, 3, "a", 1));
    Map<String, String> mpi =
        Map.of(
            "OMPI_COMM_WORLD_RANK",
            "1",
            "OMPI_COMM_WORLD_SIZE",
            "2",
            "MASTER_ADDR",
            "a",
            "MASTER_PORT",
            "1");
    assertThat(Ranks.of(mpi)).isEqualTo(new Ranks(1, 2, 0, "a", 1));
  }

  @Test
  void whatALauncherLeavesOutIsKnown() {
    Map<String, String> slurm =
        Map.of(
            "SLURM_PROCID", "1",
            "SLURM_NTASKS", "2",
            "SLURM_LOCALID", "0",
            "SLURM_LAUNCH_NODE_IPADDR", "10.0.0.13");
    assertThat(Ranks.of(slurm)).isEqualTo(new Ranks(1, 2, 0, "10.0.0.13", 29500));
    Map<String, String> mpi =
        Map.of(
            "OMPI_COMM_WORLD_RANK", "1",
            "OMPI_COMM_WORLD_SIZE", "2",
            "OMPI_COMM_WORLD_LOCAL_RANK", "1",
            "OMPI_COMM_WORLD_LOCAL_SIZE", "2");
    assertThat(Ranks.of(mpi)).isEqualTo(new Ranks(1, 2, 1, "127.0.0.1", 29500));
  }

  /** torchrun listens at the port itself, and keeps what earlier attempts wrote. */
  @Test
  void torchrunListensItself() {
    Map<String, String> environment = new HashMap<>();
    environment.putAll(Map.of("RANK", "0", "WORLD_SIZE", "2", "LOCAL_RANK", "0"));
    environment.putAll(Map.of("MASTER_ADDR", "node-0", "MASTER_PORT", "29400"));
    Ranks first = Ranks.of(environment);
    assertThat(first.launcherServes()).isFalse();
    environment.put("TORCHELASTIC_USE_AGENT_STORE", "True");
    environment.put("TORCHELASTIC_RESTART_COUNT", "3");
    Ranks told = Ranks.of(environment);
    assertThat(told.launcherServes()).isTrue();
    assertThat(told.key("a")).isNotEqualTo(first.key("a")).contains("3");
  }

  @Test
  void withoutALauncherItIsAlone() {
    assertThat(Ranks.of(Map.of("HOME", "/"))).isEqualTo(Ranks.ALONE);
    assertThat(Ranks.of(Map.of("SLURM_NTASKS", "1"))).isEqualTo(Ranks.ALONE);
    assertThat(Ranks.of(Map.of("RANK", "0", "WORLD_SIZE", "1"))).isEqualTo(Ranks.ALONE);
  }

  @Test
  void halfAnEnvironmentIsRefused() {
    refused(Map.of("RANK", "0"), "no number of processes");
    refused(Map.of("WORLD_SIZE", "2"), "no rank");
    refused(Map.of("RANK", "x", "WORLD_SIZE", "2"), "rank 'x'");
    refused(Map.of("RANK", "2", "WORLD_SIZE", "2"), "rank 2 of 2");
    refused(Map.of("RANK", "1", "WORLD_SIZE", "2"), "host name and a port");
    refused(
        Map.of("RANK", "1", "WORLD_SIZE", "2", "MASTER_ADDR", "a", "MASTER_PORT", "70000"),
        "port 70000");
  }

  private static void refused(Map<String, String> environment, String words) {
    assertThatThrownBy(() -> Ranks.of(environment))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining(words)
        .hasMessageContaining("torchrun");
  }
}
