import { readFile } from "node:fs/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isObject } from "@mbs/contracts";
import { loadArchitecture, supportedTypes } from "../src/architectures/architectures.ts";
import type { TensorFile } from "../src/checkpoint/checkpoint.ts";
import { predictingTypes } from "../src/testing.ts";
import { edited, readBase, readGolden, weightFile } from "./config-sweep/bases.ts";
import type { Edit, SweepBase, Verdict } from "./config-sweep/bases.ts";
import { agreement, fingerprint, perplexityOf, readCase } from "./config-sweep/sweep.ts";
import type { SweepResults } from "./config-sweep/sweep.ts";

const { bases, defaults } = await readGolden();
const results = JSON.parse(
  await readFile(new URL("../../../tools/config-sweep/results.json", import.meta.url), "utf8"),
) as SweepResults;

test("every type is swept", () => {
  const types = Object.values(bases).map(({ config }) => config.model_type);
  assert.equal([...new Set(types)].sort(), [...supportedTypes].sort());
});

/** Keys whose value the forward pass does not read, and `is_encoder_decoder`, which a type either has or does not have. */
const unread = new Set(
  [
    ["transformers_version", "architectures", "use_cache", "output_hidden_states", "return_dict", "dtype", "problem_type"],
    ["chunk_size_feed_forward", "is_encoder_decoder", "id2label", "label2id", "bos_token_id", "eos_token_id", "pad_token_id"],
    ["initializer_range", "initializer_factor", "init_std", "dropout", "hidden_dropout", "attention_dropout", "dropout_rate"],
    ["classifier_dropout", "resid_pdrop", "embd_pdrop", "attn_pdrop"],
  ].flat(),
);

/** Names of an edit's keys, and of those in a section. */
const keysOf = (edit: Edit): string[] =>
  typeof edit === "string"
    ? [edit]
    : Object.entries(edit).flatMap(([key, value]) => [key, ...(isObject(value) ? Object.keys(value) : [])]);

/** Keys without a default that the class sets itself where they are absent: the edits show what to. */
const setByClass: ReadonlyMap<string, string> = new Map([["apertus", "rope_parameters"]]);

for (const type of supportedTypes) {
  test(`${type}: every key of the class is known, with its default`, async () => {
    const { keys } = await loadArchitecture(type, "config.json");
    for (const [key, value] of Object.entries(defaults[type] ?? {})) {
      assert.ok(Object.hasOwn(keys, key), `${key} is not declared`);
      // keys that are only checked may have any default; null means none
      if (unread.has(key) || setByClass.get(type) === key) continue;
      assert.equal(keys[key]?.fallback ?? null, value, key);
    }
  });
}

/** Edits in lists of which none has two of one key. */
function byRound(edits: readonly Edit[]): readonly (readonly Edit[])[] {
  const rounds: Edit[][] = [];
  const counts = new Map<string, number>();
  for (const edit of edits) {
    const [key = ""] = keysOf(edit);
    const round = counts.get(key) ?? 0;
    counts.set(key, round + 1);
    (rounds[round] ??= []).push(edit);
  }
  return rounds;
}

/**
 * Edits that are read as the base is, here and there, of keys that nothing reads: those that no table declares, and those whose
 * value does not count. One such key cannot hide another, so an edit of many shows what each of them does. Where that is not the
 * base's model, half of them are tried; one that is left alone is read with the others.
 */
async function findIdle(base: SweepBase, file: TensorFile): Promise<ReadonlySet<Edit>> {
  const { keys } = await loadArchitecture(base.config.model_type, "config.json");
  const isIdle = (key: string): boolean => unread.has(key) || !Object.hasOwn(keys, key);
  const candidates = base.cases.flatMap(([edit, verdict]) => {
    const edits = typeof edit === "string" ? [edit] : Object.keys(edit);
    const isAlike = Math.abs(Number(verdict) / base.perplexity - 1) < agreement;
    return isAlike && edits.length === 1 && edits.every(isIdle) ? [edit] : [];
  });
  const printOf = async (edits: readonly Edit[]): Promise<string | undefined> => {
    const read = await readCase(file, edits.reduce(edited, base.config));
    return typeof read === "string" ? undefined : fingerprint(read, base);
  };
  const print = await printOf([]);
  if (print === undefined) return new Set();
  const findIn = async (edits: readonly Edit[]): Promise<readonly Edit[]> => {
    if ((await printOf(edits)) === print) return edits;
    if (edits.length < 2) return [];
    const middle = Math.floor(edits.length / 2);
    return [...(await findIn(edits.slice(0, middle))), ...(await findIn(edits.slice(middle)))];
  };
  const idle: Edit[] = [];
  for (const round of byRound(candidates)) idle.push(...(await findIn(round)));
  return new Set(idle);
}

for (const [name, base] of Object.entries(bases)) {
  test(`${name}: each edit of config.json is read as transformers reads it, or refused`, async () => {
    const file = await weightFile(base);
    const idle = await findIdle(base, file);
    const refused: Edit[] = [];
    // Models of one fingerprint compute the same: a key that counts in transformers and not here is found without running any.
    const perplexities = new Map<string, { edit: Edit; perplexity: number }>();
    for (const [edit, verdict] of [[{}, base.perplexity] as const, ...base.cases]) {
      if (idle.has(edit)) continue;
      const read = await readCase(file, edited(base.config, edit));
      const shown = JSON.stringify(edit);
      if (typeof read === "string") {
        if (typeof verdict !== "number") continue;
        refused.push(edit);
        const named = keysOf(edit).some((key) => read.includes(key)) || read.includes("the tensors do not fit");
        assert.ok(named, `${shown} is refused without its name: ${read}`);
        continue;
      }
      assert.type(verdict, "number", `${shown} is read, and transformers says: ${verdict}`);
      const print = fingerprint(read, base);
      const known = perplexities.get(print) ?? { edit, perplexity: Number(verdict) };
      perplexities.set(print, known);
      const distance = Math.abs(Number(verdict) / known.perplexity - 1);
      assert.ok(distance < agreement, `${shown} computes what ${JSON.stringify(known.edit)} does; transformers: ${distance} off`);
    }
    const committed = results.bases[name];
    assert.equal(refused, committed?.refusedHere, "other edits are refused: npx tsx tools/config-sweep/run.ts");
    assert.is(perplexities.size, committed?.models, "other models are read: npx tsx tools/config-sweep/run.ts");
  });
}

async function readEdit(name: string, edit: Edit): Promise<{ base: SweepBase; verdict: Verdict; own: number | string }> {
  const base = await readBase(name);
  const found = base.cases.find(([other]) => JSON.stringify(other) === JSON.stringify(edit));
  if (found === undefined && JSON.stringify(edit) !== "{}") throw new Error(`${name} has no edit ${JSON.stringify(edit)}`);
  const read = await readCase(await weightFile(base), edited(base.config, edit));
  const own = typeof read === "string" ? read : await perplexityOf(read, base);
  return { base, verdict: found?.[1] ?? base.perplexity, own };
}

/** Where what was read differed from transformers, and nothing said so. */
const followed: [string, string, Edit, ...Edit[]][] = [
  ["a head in the file counts, whatever is said of ties", "llama-own-head", {}],
  ["a head in the file counts, whatever is said of ties", "gpt2-own-head", {}],
  [
    "rope_scaling counts instead of rope_parameters",
    "qwen2",
    {
      rope_parameters: { rope_type: "default", rope_theta: 50 },
      rope_scaling: { rope_type: "yarn", factor: 4, original_max_position_embeddings: 64 },
    },
  ],
  [
    "only the sliding layers of layer_types are windowed",
    "mistral",
    { layer_types: ["sliding_attention", "full_attention", "sliding_attention"] },
    { layer_types: ["full_attention", "full_attention", "full_attention"] },
  ],
  [
    "an absent key has the default of the class",
    "gemma2",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "sliding_window",
    "rms_norm_eps",
  ],
  ["an absent key has the default of the class", "mixtral", "rms_norm_eps"],
  ["an absent key has the default of the class", "phi3", "rms_norm_eps"],
  ["an absent key has the default of the class", "mistral", "sliding_window"],
  ["an absent key has the default of the class", "gemma3_text", "sliding_window"],
  ["an absent key has the default of the class", "qwen2", "sliding_window"],
  ["partial_rotary_factor does not count without scaling", "llama", { partial_rotary_factor: 0.5 }],
  ["partial_rotary_factor does not count without scaling", "gemma2", { partial_rotary_factor: 0.5 }],
  [
    "yarn with factors is longrope, and the outer context counts",
    "phi3",
    { rope_scaling: { type: "yarn", original_max_position_embeddings: 64, short_factor: [1, 1.1], long_factor: [1.5, 3] } },
  ],
  ["the class's context counts where only the section names one", "phi3-longrope-long", "original_max_position_embeddings"],
  ["dense_act_fn and is_gated_act override feed_forward_proj", "t5", { dense_act_fn: "gelu_new" }],
  ["dense_act_fn and is_gated_act override feed_forward_proj", "mt5", { dense_act_fn: "relu" }],
  ["positions begin behind the padding token", "xlm-roberta", { pad_token_id: 5 }, "pad_token_id"],
  ["is_causal does not count in an encoder", "bert", { is_causal: true }, { is_causal: false }],
  ["null is no scale", "t5", { scale_decoder_outputs: null }],
];
for (const [what, name, ...edits] of followed) {
  for (const edit of edits) {
    test(`${what}: ${name} ${JSON.stringify(edit)}`, async () => {
      const { verdict, own } = await readEdit(name, edit);
      assert.type(own, "number", String(own));
      const distance = Math.abs(Number(own) / Number(verdict) - 1);
      assert.ok(distance < agreement, `perplexity ${own}, in transformers ${verdict}`);
    });
  }
}

const refusals: [string, Edit, RegExp][] = [
  ...predictingTypes.map((type): [string, Edit, RegExp] => [
    type,
    { is_causal: false },
    /config\.json: is_causal false is not supported; only true is/,
  ]),
  ["gpt_neox", { head_dim: 2 }, /head_dim 2 is not supported; heads of this type have hidden_size \/ num_attention_heads = 8/],
  ["bloom", { slow_but_exact: true, pretraining_tp: 2 }, /slow_but_exact true is not supported/],
  [
    "gemma2",
    { rope_parameters: { full_attention: { rope_type: "default", rope_theta: 50 } } },
    /rope_parameters .* is not supported; all layers of this type share one section/,
  ],
  [
    "qwen2",
    { rope_parameters: { full_attention: { rope_type: "default", rope_theta: 50 } } },
    /rope_parameters .* is not supported; all layers of this type share one section/,
  ],
  [
    "qwen2",
    { use_sliding_window: false, layer_types: ["full_attention", "linear_attention", "full_attention"] },
    /layer_types .* is not supported; it takes 3 entries/,
  ],
  [
    "llama",
    { rope_scaling: { rope_type: "yarn", original_max_position_embeddings: 64 } },
    /rope_scaling\.factor must be above 0, or null/,
  ],
  ["bert", { is_decoder: true }, /is_decoder true is not supported; only false is/],
  ["bert", { pad_token_id: 64 }, /pad_token_id must be a token below vocab_size 64/],
  ["xlm-roberta", { chunk_size_feed_forward: null }, /chunk_size_feed_forward must be a whole number/],
  ["llama", { quantization_config: "gptq" }, /quantization_config must be an object, not "gptq"/],
];
for (const [name, edit, message] of refusals) {
  test(`${name}: ${JSON.stringify(edit)} is refused by name`, async () => {
    const { own } = await readEdit(name, edit);
    assert.match(String(own), message);
  });
}

for (const [name, base] of Object.entries(bases)) {
  test(`${name}: perplexities are those of transformers`, async () => {
    const file = await weightFile(base);
    const seen = new Set<string>();
    // the test above says how many there are; the search for another would read all edits again
    const wanted = Math.min(5, results.bases[name]?.models ?? 5);
    for (const [edit, verdict] of [[{}, base.perplexity] as const, ...base.cases]) {
      if (seen.size === wanted) break;
      const read = await readCase(file, edited(base.config, edit));
      if (typeof read === "string") continue;
      const print = fingerprint(read, base);
      if (seen.has(print)) continue;
      seen.add(print);
      const own = await perplexityOf(read, base);
      const distance = Math.abs(own / Number(verdict) - 1);
      assert.ok(distance < agreement, `${JSON.stringify(edit)}: perplexity ${own}, in transformers ${verdict}`);
    }
  });
}

test.run();
