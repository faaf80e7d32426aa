"""Write a language model of a few hundred kilobytes with random weights, as GGUF for llama.cpp.

    python runs/tiny_model.py tiny.gguf

Its tokens are bytes, and the words of some questions with all their beginnings (the tokenizer
builds a word up letter by letter). Beside it go `questions.jsonl`, the questions with their
passages, and `tiny.bias.json`, by which a request makes quotation marks likelier: at random they
would come once in a thousand tokens, and no string would end.
"""

import json
import re
import sys
from pathlib import Path

import gguf
import numpy as np

DIM, HEADS, HIDDEN, LAYERS, CONTEXT = 32, 4, 64, 1, 65536
QUESTIONS = 40
BIAS = 5.0
TEXT = "The bridge of Ford {n} was opened in {year} by Ann Archer and is {length} metres long."


def questions():
    for n in range(QUESTIONS):
        facts = {"n": n, "year": 1800 + 3 * n, "length": 100 + 7 * n}
        yield {
            "id": str(n),
            "question": f"In which year was the bridge of Ford {n} opened?",
            "answers": [str(facts["year"])],
            "passage": TEXT.format(**facts),
        }


def vocabulary():
    """Tokens with their types: special ones, every byte, and words with their beginnings."""
    kinds = gguf.TokenType
    tokens = {"<unk>": kinds.UNKNOWN, "<s>": kinds.CONTROL, "</s>": kinds.CONTROL}
    tokens |= {f"<0x{byte:02X}>": kinds.BYTE for byte in range(256)}
    tokens |= dict.fromkeys("▁" + "".join(map(chr, range(33, 127))), kinds.NORMAL)
    for word in re.findall(r"[A-Za-z]+", " ".join(json.dumps(row) for row in questions())):
        tokens |= {f"▁{word[:end]}": kinds.NORMAL for end in range(1, len(word) + 1)}
    return tokens


def write(path):
    tokens = vocabulary()
    chance = np.random.default_rng(0)
    file = gguf.GGUFWriter(path, "llama")
    file.add_name("tiny")
    file.add_context_length(CONTEXT)
    file.add_embedding_length(DIM)
    file.add_block_count(LAYERS)
    file.add_feed_forward_length(HIDDEN)
    file.add_head_count(HEADS)
    file.add_head_count_kv(HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_dimension_count(DIM // HEADS)
    file.add_vocab_size(len(tokens))
    file.add_tokenizer_model("llama")
    file.add_token_list([token.encode() for token in tokens])
    file.add_token_scores([-float(rank) for rank in range(len(tokens))])
    file.add_token_types(list(tokens.values()))
    file.add_unk_token_id(0)
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    shapes = {"token_embd": (len(tokens), DIM), "output": (len(tokens), DIM)}
    shapes |= {f"blk.0.attn_{name}": (DIM, DIM) for name in ("q", "k", "v", "output")}
    shapes |= {f"blk.0.ffn_{name}": (HIDDEN, DIM) for name in ("gate", "up")}
    shapes["blk.0.ffn_down"] = (DIM, HIDDEN)
    for name, shape in shapes.items():
        file.add_tensor(f"{name}.weight", chance.normal(0, 0.1, shape).astype(np.float32))
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        file.add_tensor(f"{name}.weight", np.ones(DIM, np.float32))
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    place = {token: number for number, token in enumerate(tokens)}
    bias = {str(place[sign]): BIAS for sign in '"]}'}
    Path(path).with_suffix(".bias.json").write_text(json.dumps(bias))


def main():
    path = Path(sys.argv[1])
    write(str(path))
    with path.with_name("questions.jsonl").open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in questions())


if __name__ == "__main__":
    main()
