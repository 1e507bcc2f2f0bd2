import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BadDataError, InputOutputError, UsageError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseRecipe, readRecipe, recipeFrom } from "../src/recipe/parse-recipe.ts";

const whole = `model: m
corpus: c
compress:
  solver: gptq
  group-size: 64
output: out
`;

function thrown(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

test("fills in what is not said; options may be spelt as on the command line", () => {
  const { locate: _, ...recipe } = parseRecipe(whole, "r.yaml");
  assert.equal(recipe, {
    model: "m",
    corpus: "c",
    sample: {},
    propagation: "true-sequential",
    shards: 1,
    capture: {},
    factor: {},
    compress: { solver: "gptq", groupSize: 64 },
    assemble: {},
    stages: new Map(),
    similarity: false,
    keep: false,
    output: "out",
  });
});

test("says what is wrong, and in which line", () => {
  for (const [text, message] of [
    [`${whole}memory: 1GiB\n`, /^r\.yaml:7: unknown key memory; remove it and give --memory to mbs run$/],
    [`${whole}asemble: {}\n`, /^r\.yaml:7: unknown key asemble; did you mean assemble\? a recipe takes model, trim, /],
    [`${whole}colour: red\n`, /^r\.yaml:7: unknown key colour; a recipe takes model, trim, rotate, corpus/],
    [whole.replace("model: m\n", ""), /^r\.yaml: model is missing/],
    [whole.replace("model: m", "model: [a]"), /^r\.yaml:1: model takes a path/],
    [whole.replace("output: out", 'output: "a\\0b"'), /^r\.yaml:6: output takes a path, not "a\\u0000b"/],
    [`${whole}propagation: sideways\n`, /^r\.yaml:7: propagation takes true-sequential, sequential, dense, not "sideways"/],
    [`${whole}keep: perhaps\n`, /^r\.yaml:7: keep takes true or false/],
    [`${whole}sample: 5\n`, /^r\.yaml:7: sample takes options/],
    [`${whole}sample:\n  seed: 1\n  model: other\n`, /^r\.yaml:9: sample\.model follows from other keys of the recipe/],
    [`${whole}evaluate:\n  length: 8\n`, /^r\.yaml:8: evaluate needs corpus/],
    [whole.replace("  solver: gptq\n", ""), /^r\.yaml:4: compress needs solver/],
    [whole.replace("  group-size: 64", "  group-size: 64\n  groupSize: 64"), /^r\.yaml:6: compress\.groupSize is given twice/],
    [`${whole}allocate:\n  sparsity: 0.5\n`, /^r\.yaml:8: allocate\.sparsity follows from other keys of the recipe/],
    [
      `${whole}hashes:\n  model: a\n  corpsu: b\n`,
      /^r\.yaml:9: unknown key hashes\.corpsu; did you mean corpus\? hashes takes model, corpus, evaluationCorpus/,
    ],
    [`${whole}beside: { a: 5 }\nevaluate: { corpus: c }\n`, /^r\.yaml:7: beside takes paths \(label: path\)/],
    [
      `${whole}beside: { dense: b }\nevaluate: { corpus: c }\n`,
      /^r\.yaml:7: beside\.dense: dense and compressed are the run's own/,
    ],
    [`${whole}beside: { 1: b }\nevaluate: { corpus: c }\n`, /^r\.yaml:7: beside\.1: .* a number is no label; take another/],
    [`${whole}beside: { a: b }\n`, /^r\.yaml:7: beside names models to score, and nothing is evaluated/],
    ["- a\n- b\n", /^r\.yaml: a recipe holds keys and values/],
    ["", /^r\.yaml: a recipe holds keys and values/],
  ] as const) {
    const error = thrown(() => parseRecipe(text, "r.yaml"));
    assert.instance(error, UsageError, text);
    assert.match((error as Error).message, message);
    assert.not.match((error as Error).message, /\n/);
  }
});

test("says all that is wrong, in one line", () => {
  const text = `${whole}colour: red\nkeep: perhaps\nevaluate:\n  model: m\n`.replace("corpus: c\n", "");
  const error = thrown(() => parseRecipe(text, "r.yaml"));
  assert.instance(error, UsageError);
  assert.match(
    (error as Error).message,
    /^5 faults: \(1\) r\.yaml:6: unknown key colour; .* \(2\) r\.yaml: corpus is missing \(3\) r\.yaml:9: evaluate\.model follows .* \(4\) r\.yaml:9: evaluate needs corpus or tasks \(5\) r\.yaml:7: keep takes true or false, not "perhaps"$/,
  );
});

test("refuses broken YAML, keys given twice, and a file that is not there", async () => {
  for (const text of ["model: [a\n", `${whole}model: again\n`]) {
    const error = thrown(() => parseRecipe(text, "r.yaml"));
    assert.instance(error, BadDataError, text);
    assert.match((error as Error).message, /^r\.yaml:\d+:\d+: no valid YAML: [^:;]*; correct it there: a line is key: value/);
    assert.not.match((error as Error).message, / at line |\n/);
  }
  const missing = await readRecipe("/no/such/recipe.yaml").catch((error: unknown) => error);
  assert.instance(missing, InputOutputError);
  assert.instance(await readRecipe("").catch((error: unknown) => error), UsageError);
});

test("refuses what never ends, or is no text, as a recipe", async () => {
  const folder = await mkdtemp(join(tmpdir(), "recipe-test-"));
  const [long, binary] = [join(folder, "long.yaml"), join(folder, "binary.yaml")];
  await writeFile(long, "# a comment\n".repeat(400_000));
  await writeFile(binary, Uint8Array.of(0xff, 0xfe));
  for (const [path, message] of [
    ["/dev/zero", /^\/dev\/zero: is longer than 4194304 bytes, the limit of a recipe; name a recipe$/],
    [long, /long\.yaml: is longer than 4194304 bytes/],
    [binary, /binary\.yaml: is no UTF-8; name a recipe, or save it as UTF-8$/],
  ] as const) {
    const error = await readRecipe(path).catch((thrownError: unknown) => thrownError);
    assert.instance(error, BadDataError);
    assert.match((error as Error).message, message);
  }
  const unread = await readRecipe(folder).catch((thrownError: unknown) => thrownError);
  assert.instance(unread, InputOutputError);
  const missing = await readRecipe(join(tmpdir(), "mbs-no-such-recipe.yaml")).catch((error: unknown) => error);
  assert.match((missing as Error).message, /: there is no such file; name a recipe, a YAML file$/);
  assert.match((unread as Error).message, /: is a folder; name a recipe, a YAML file$/);
  await rm(folder, { recursive: true });
});

test("an entry of stages has no name that a node of the plan may have", () => {
  const given = { model: "m", corpus: "c", compress: { solver: "rtn" }, output: "o" };
  for (const name of ["add", "capture", "scores"]) {
    assert.throws(() => recipeFrom({ ...given, stages: { [name]: { stage: "./a.js" } } }), /and none of .*/);
  }
});

test.run();
