package org.bmojo.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TemplateTest {
  private static final LocalDateTime NOW = LocalDateTime.of(2026, 1, 2, 3, 4, 5);

  private static final Map<String, Object> VARIABLES =
      Map.of(
          "text", " a b ",
          "list", List.of("x", "y", "z"),
          "n", 7L,
          "map", Map.of("k", "v"),
          "rows", List.of(Map.of("role", "user", "n", 1L), Map.of("role", "tool", "n", 2L)));

  private static String render(String source) {
    return Template.of(source).render(VARIABLES, NOW);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "1 + 2 * 3; 7",
        "(1 + 2) * 3; 9",
        "7 // 2 ~ 7 % 3; 31",
        "-7 // 2; -4",
        "1 / 2; 0.5",
        "'a' + \"b\"; ab",
        "text.strip(); a b",
        "text | trim | upper; A B",
        "text|length; 5",
        "list[0] + list[-1]; xz",
        "list[1:]; ['y', 'z']",
        "list[:-1]; ['x', 'y']",
        "list[::-1] | join('+'); z+y+x",
        "'abc'[1:]; bc",
        "map.k; v",
        "map['k']; v",
        "map.get('no', 3); 3",
        "map | tojson; {\"k\": \"v\"}",
        "[1, 'a', true, none] | tojson; [1, \"a\", true, null]",
        "n > 3 and n < 9; True",
        "not n == 7 or false; False",
        "'x' in list; True",
        "'q' not in list; True",
        "nothing is defined; False",
        "map.no is not defined; True",
        "nothing.no is defined; False",
        "none is none; True",
        "'yes' if n else 'no'; yes",
        "nothing or 'other'; other",
        "nothing | default('d'); d",
        "rows | map(attribute='n') | list; [1, 2]",
        "rows | selectattr('role', 'equalto', 'tool') | list | length; 1",
        "(rows | rejectattr('role', 'equalto', 'tool') | first).n; 1",
        "'a,b'.split(',')[-1]; b",
        "'a b'.split(); ['a', 'b']",
        "'abc'.startswith('ab'); True",
        "'xxabx'.strip('x'); ab",
        "'a-b'.replace('-', '+'); a+b",
        "n is string; False",
        "n is odd; True",
        "strftime_now('%d %b %Y'); 02 Jan 2026",
        "range(3) | list; [0, 1, 2]",
        "{'a': 1}.items() | list; [['a', 1]]",
        "-n | abs; 7",
        "'%s'; %s",
      })
  void expressions(String expression, String expected) {
    assertThat(render("{{ " + expression + " }}")).isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "{% for x in list %}{{ loop.index }}{{ x }}{% if not loop.last %},{% endif %}{% endfor %};"
            + " 1x,2y,3z",
        "{% for k, v in map.items() %}{{ k }}={{ v }}{% endfor %}; k=v",
        "{% for x in list if x != 'y' %}{{ x }}{% endfor %}; xz",
        "{% for x in [] %}{% else %}none{% endfor %}; none",
        "{% for x in list %}{% if x == 'y' %}{% break %}{% endif %}{{ x }}{% endfor %}; x",
        "{% for x in list %}{% if x == 'y' %}{% continue %}{% endif %}{{ x }}{% endfor %}; xz",
        "{% set a = 1 %}{% for x in list %}{% set a = 2 %}{% endfor %}{{ a }}; 1",
        "{% set s = namespace(a=1) %}{% for x in list %}{% set s.a = s.a + 1 %}{% endfor %}{{ s.a"
            + " }}; 4",
        "{% set b %}in{{ n }}{% endset %}{{ b }}; in7",
        "{% if n < 3 %}a{% elif n < 9 %}b{% else %}c{% endif %}; b",
        "{% macro m(a, b='-') %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, b=2) }}; 1-12",
        "a {# no #} b; a  b",
        "{% generation %}x{% endgeneration %}; x",
        "x {{- n -}} y; x7y",
      })
  void blocks(String source, String expected) {
    assertThat(render(source)).isEqualTo(expected);
  }

  /** Jinja 3.1 with trim_blocks and lstrip_blocks gives these. */
  @Test
  void blanksAroundBlocksAreNoText() {
    assertThat(render("a\n  {% if n %}\nb\n  {% endif %}\nc\n")).isEqualTo("a\nb\nc\n");
    assertThat(render("{%- if n -%}\n  b\n{%- endif %}\n\nc")).isEqualTo("b\nc");
    assertThat(render("a {% if n %} b {% endif %} c")).isEqualTo("a  b  c");
    assertThat(render("  {{ n }}\nx")).isEqualTo("  7\nx");
    assertThat(render("{# c #}\nx")).isEqualTo("x");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{{ ",
        "{% if %}",
        "{% if n %}",
        "{% endif %}",
        "{{ 1 + }}",
        "{{ 'a }}",
        "{% nonsense %}",
        "{# never closed",
        "{{ f(1 }}",
        "{% for in list %}{% endfor %}",
        "{{ ? }}"
      })
  void malformedTemplatesAreRefused(String source) {
    assertThatThrownBy(() -> Template.of(source)).isInstanceOf(TemplateError.class);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{{ nothing.no }}",
        "{{ nothing() }}",
        "{{ text.getClass() }}",
        "{{ text | shell }}",
        "{{ 1 // 0 }}",
        "{{ range(999999999) }}",
        "{{ 'a' < 1 }}",
        "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ list[::0] }}"
      })
  void whatCannotBeDoneEndsInAnError(String source) {
    assertThatThrownBy(() -> render(source)).isInstanceOf(TemplateError.class);
  }

  @Test
  void aTemplateMayRefuseInItsOwnWords() {
    assertThatThrownBy(() -> render("{{ raise_exception('No.') }}"))
        .isInstanceOfSatisfying(
            TemplateError.class,
            e -> {
              assertThat(e.isRaised()).isTrue();
              assertThat(e).hasMessage("No.");
            });
  }
}
