package org.bmojo.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.HashSet;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.bmojo.error.BadInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SamplerTest {
  /** Probabilities 0.4, 0.1, 0.3, 0.2. */
  private static float[] logits() {
    return new float[] {
      (float) Math.log(0.4), (float) Math.log(0.1), (float) Math.log(0.3), (float) Math.log(0.2)
    };
  }

  @Test
  void greedyTakesTheFirstOfTheLikeliest() {
    assertThat(Sampler.greedy().choose(new float[] {1, 3, -2, 3})).isEqualTo(1);
    assertThat(Sampler.random(0, 0, 1, 1).choose(new float[] {1, 3, -2, 3})).isEqualTo(1);
    assertThat(Sampler.greedy().choose(new float[] {Float.NEGATIVE_INFINITY})).isZero();
  }

  @Test
  void choicesFollowTheProbabilities() {
    double[] shares = shares(Sampler.random(1, 0, 1, 1));
    double[] expected = {0.4, 0.1, 0.3, 0.2};
    for (int i = 0; i < 4; i++) assertThat(shares[i]).isEqualTo(expected[i], within(0.03));
  }

  @Test
  void temperatureRaisesProbabilitiesToItsInverse() {
    double[] shares = shares(Sampler.random(0.5, 0, 1, 1));
    double[] expected = {0.16 / 0.3, 0.01 / 0.3, 0.09 / 0.3, 0.04 / 0.3};
    for (int i = 0; i < 4; i++) assertThat(shares[i]).isEqualTo(expected[i], within(0.03));
  }

  @ParameterizedTest
  @CsvSource({"1, 1, 0", "2, 1, 02", "3, 1, 023", "0, 0.39, 0", "0, 0.41, 02", "0, 0.95, 0123"})
  void topKAndTopPLeaveTheLikeliest(int topK, double topP, String left) {
    double[] shares = shares(Sampler.random(1, topK, topP, 3));
    for (int i = 0; i < 4; i++) {
      assertThat(shares[i] > 0).as("id %d", i).isEqualTo(left.contains(Integer.toString(i)));
    }
  }

  @Test
  void topKCountsEqualOnesByTheirOrder() {
    Sampler sampler = Sampler.random(1, 2, 1, 1);
    int[] chosen = IntStream.range(0, 200).map(_ -> sampler.choose(new float[13])).toArray();
    assertThat(IntStream.of(chosen).distinct().sorted().toArray()).containsExactly(0, 1);
  }

  @Test
  void theSameSeedChoosesTheSame() {
    Sampler one = Sampler.random(1.3, 3, 0.99, 7);
    Sampler two = Sampler.random(1.3, 3, 0.99, 7);
    Sampler other = Sampler.random(1.3, 3, 0.99, 8);
    int[] first = IntStream.range(0, 63).map(_ -> one.choose(logits())).toArray();
    assertThat(IntStream.range(0, 63).map(_ -> two.choose(logits())).toArray()).isEqualTo(first);
    assertThat(IntStream.range(0, 63).map(_ -> other.choose(logits())).toArray())
        .isNotEqualTo(first);
  }

  @Test
  void whatCannotBeIsNeverChosen() {
    float never = Float.NEGATIVE_INFINITY;
    Sampler sampler = Sampler.random(1, 0, 1, 1);
    for (int i = 0; i < 100; i++) {
      assertThat(sampler.choose(new float[] {never, 0, never, 0, never})).isIn(1, 3);
    }
  }

  @ParameterizedTest
  @CsvSource({"-1, 0, 1", "NaN, 0, 1", "1, -1, 1", "1, 0, 0", "1, 0, 1.1", "1, 0, NaN"})
  void nonsenseIsRefused(double temperature, int topK, double topP) {
    assertThatThrownBy(() -> Sampler.random(temperature, topK, topP, 1))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("Correct the sampling options");
  }

  private static double[] shares(Sampler sampler) {
    double[] shares = new double[4];
    for (int i = 0; i < 4000; i++) shares[sampler.choose(logits())] += 1.0 / 4000;
    return shares;
  }

  @Test
  void minPLeavesThoseWithAShareOfTheLikeliest() {
    double[] shares = shares(Sampler.of(Decoding.random(1, 0, 1, 3).withMinP(0.6)));
    assertThat(shares[0]).isEqualTo(0.4 / 0.7, within(0.03));
    assertThat(shares[2]).isEqualTo(0.3 / 0.7, within(0.03));
    double[] both = shares(Sampler.of(Decoding.random(1, 0, 0.39, 3).withMinP(0.6)));
    assertThat(both[0]).isEqualTo(1, within(1e-9));
  }

  /** However flat or steep the probabilities are, the shortcut leaves what sorting all leaves. */
  @ParameterizedTest
  @CsvSource({"0.01, 0.9", "1, 0.5", "5, 0.99", "20, 0.999", "0, 0.4999"})
  void topPOfManyIsThatOfASort(double spread, double topP) {
    SplittableRandom random = new SplittableRandom(1);
    float[] logits = new float[2070];
    for (int i = 0; i < logits.length; i++)
      logits[i] = (float) (spread * random.nextGaussian()) + 0f;
    LogProbabilities scores = new LogProbabilities(logits);
    double reached = 0;
    Set<Integer> left = new HashSet<>();
    for (LogProbabilities.Scored s : scores.top(logits.length)) {
      if (reached < topP) left.add(s.id());
      reached += Math.exp(s.logProbability());
    }
    Sampler sampler = Sampler.random(1, 0, topP, 1);
    Set<Integer> chosen = new HashSet<>();
    for (int i = 0; i < 500; i++) chosen.add(sampler.choose(logits.clone()));
    assertThat(left).containsAll(chosen);
    if (left.size() < 20) assertThat(chosen).hasSizeGreaterThan(left.size() / 2);
  }

  @Test
  void penaltiesLowerWhatTheTextHas() {
    Decoding decoding = Decoding.greedy().withPenalties(2, 0.5, 0.25);
    Penalties penalties = new Penalties(decoding, 0, 1);
    penalties.add(1);
    penalties.add(1);
    penalties.add(2);
    float[] logits = {3, -3, 8, 5};
    penalties.apply(logits);
    assertThat(logits).containsExactly(1.5f, -6 - 0.5f - 2 * 0.25f, 4 - 0.75f, 5);
    float[] free = {3, -3};
    new Penalties(Decoding.greedy(), 0, 1).apply(free);
    assertThat(free).containsExactly(3, -3);
  }
}
