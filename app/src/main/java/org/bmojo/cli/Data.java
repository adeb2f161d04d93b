package org.bmojo.cli;

import picocli.CommandLine.Command;

/** {@code bmojo data}: texts as tokens, made once for many runs. */
@Command(
    name = "data",
    description =
        "Prepares texts for training: tokenises them once, for many runs, and looks at them.",
    subcommands = {DataPrepare.class, DataNeedles.class, DataInspect.class},
    footer = {
      "  ./bmojo data prepare corpus/ --tokenizer gpt2/tokenizer.json --out tokens",
      "  ./bmojo data inspect tokens --verify",
      "  ./bmojo train tokens --tokenizer gpt2/tokenizer.json --out runs/one"
    })
final class Data {}
