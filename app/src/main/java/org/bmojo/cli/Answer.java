package org.bmojo.cli;

import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a command answers on standard output: text for people or, with {@code --json}, one JSON
 * object on one line for programs. A command declares it as {@code @Mixin Answer answer}.
 */
public final class Answer {
  private static final JsonMapper JSON = JsonMapper.builder().build();

  @Spec(Spec.Target.MIXEE)
  CommandSpec command;

  @Option(names = "--json", description = "Answer with one JSON object on one line.")
  boolean json;

  /**
   * Prints the answer in the form that was asked for.
   *
   * @param facts a record; its components are the JSON object's keys
   * @param text the same for people, without the last line's end
   */
  public void print(Record facts, String text) {
    command.commandLine().getOut().println(json ? JSON.writeValueAsString(facts) : text);
  }

  /** Whether a program reads the answer, so that nothing else may be printed there. */
  public boolean isJson() {
    return json;
  }
}
