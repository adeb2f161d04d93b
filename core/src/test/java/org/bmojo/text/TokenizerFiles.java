package org.bmojo.text;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Small tokenizers of the kinds that models come with. */
final class TokenizerFiles {
  private TokenizerFiles() {}

  /** Byte-level BPE as GPT-2's: 257 ids of {@link ByteTokenizer} and three merges. */
  static Path bpe(Path folder, String merges, String truncation) throws IOException {
    new ByteTokenizer().save(folder);
    Path file = folder.resolve(Tokenizer.FILE);
    String json =
        Files.readString(file)
            .replaceFirst("\"merges\" *: *\\[ *]", "\"merges\": " + merges)
            .replaceFirst("\"truncation\" *: *null", "\"truncation\": " + truncation)
            .replaceFirst(
                "\"\u00ff\" *: *255",
                "\"\u00ff\": 255, \"th\": 257, \"the\": 258, \"\u00c3\u00a4\": 259");
    return Files.writeString(file, json);
  }

  /** Unigram with SentencePiece's word marks and bytes for what it does not know. */
  static Path unigram(Path folder) throws IOException {
    StringBuilder vocab = new StringBuilder("[\"<unk>\",0],[\"</s>\",0]");
    for (int b = 0; b < 256; b++) vocab.append(",[\"<0x%02X>\",-9]".formatted(b));
    for (String word : new String[] {"▁", "▁the", "▁cat", "s", "at", "t", "h", "e", "a", "c"}) {
      vocab.append(",[\"").append(word).append("\",-2]");
    }
    return Files.writeString(
        folder.resolve(Tokenizer.FILE),
        """
        {"version":"1.0","truncation":null,"padding":null,
         "added_tokens":[{"id":1,"content":"</s>","single_word":false,"lstrip":false,
           "rstrip":false,"normalized":false,"special":true}],
         "normalizer":null,
         "pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true},
         "post_processor":null,
         "decoder":{"type":"Sequence","decoders":[
           {"type":"Replace","pattern":{"String":"▁"},"content":" "},
           {"type":"ByteFallback"},{"type":"Fuse"},
           {"type":"Strip","content":" ","start":1,"stop":0}]},
         "model":{"type":"Unigram","unk_id":0,"byte_fallback":true,"vocab":[%s]}}
        """
            .formatted(vocab));
  }
}
