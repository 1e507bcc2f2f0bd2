import { test } from "uvu";
import * as assert from "uvu/assert";
import { optionFlag, parseOptions, UsageError, type OptionTable } from "../src/index.ts";

const table = {
  bits: { kind: "integer", description: "bits", default: 4, minimum: 2, maximum: 8 },
  damping: { kind: "number", description: "damping", default: 0.01, above: 0 },
  symmetric: { kind: "flag", description: "symmetric grid" },
  order: { kind: "choice", description: "order", choices: ["natural", "activation"], default: "natural" },
  model: { kind: "resource", resource: "model", description: "model folder" },
  sites: { kind: "list", description: "sites", optional: true },
} as const satisfies OptionTable;

const parse = (raw: unknown) => parseOptions(table, raw, "stage");

const refuses = (raw: unknown, pattern: RegExp) =>
  assert.throws(
    () => parse(raw),
    (error: unknown) => error instanceof UsageError && pattern.test(error.message),
  );

test("defaults fill in and absent optional options stay undefined", () => {
  assert.equal(parse({ model: "m" }), {
    bits: 4,
    damping: 0.01,
    symmetric: false,
    order: "natural",
    model: "m",
    sites: undefined,
  });
});

test("texts from a command line become numbers, flags and lists", () => {
  const values = parse({ model: "m", bits: "3", damping: "0.5", symmetric: "true", sites: "a,b" });
  assert.is(values.bits, 3);
  assert.is(values.damping, 0.5);
  assert.is(values.symmetric, true);
  assert.equal(values.sites, ["a", "b"]);
});

test("what does not fit is refused with the option's name", () => {
  refuses({}, /--model is required/);
  refuses({ model: "m", bits: 2.5 }, /--bits takes a whole number, not 2.5/);
  refuses({ model: "m", bits: "" }, /--bits takes a whole number/);
  refuses({ model: "m", bits: 9 }, /--bits must be at least 2 and at most 8, not 9/);
  refuses({ model: "m", damping: 0 }, /--damping must be above 0/);
  refuses({ model: "m", damping: Number.NaN }, /--damping takes a number/);
  refuses({ model: "m", order: "random" }, /--order takes one of natural, activation/);
  refuses({ model: "m", order: "naturl" }, /takes one of natural, activation, not "naturl"; did you mean natural\?$/);
  refuses({ model: "m", order: "nat" }, /not "nat"; did you mean natural\?$/);
  refuses({ model: "m", order: "ural" }, /not "ural"; did you mean natural\?$/);
  refuses({ model: "m", sites: [] }, /--sites takes a list/);
  refuses({ model: "m", bist: 1 }, /unknown option --bist; did you mean --bits\? it takes --bits/);
  refuses({ model: "m", colour: 1 }, /unknown option --colour; it takes --bits/);
  refuses({ model: "m", typeMixes: 1 }, /unknown option --type-mixes; it takes/);
  refuses({ model: "m", ["__proto__x"]: 1 }, /unknown option/);
  refuses([], /options must be an object/);
});

test("flags are kebab-case", () => {
  assert.is(optionFlag("groupSize"), "--group-size");
});

test("options that exclude each other: what is given counts, a default does not", () => {
  const pruning = {
    sparsity: { kind: "number", description: "share", default: 0.5, optional: true },
    pattern: { kind: "text", description: "N:M", optional: true, excludes: ["sparsity"] },
    variant: { kind: "flag", description: "variant", excludes: ["pattern"] },
  } as const satisfies OptionTable;
  const parsePruning = (raw: unknown) => parseOptions(pruning, raw, "solver");
  assert.equal(parsePruning({}), { sparsity: 0.5, pattern: undefined, variant: false });
  const withPattern = { sparsity: undefined, pattern: "2:4", variant: false };
  assert.equal(parsePruning({ pattern: "2:4" }), withPattern);
  assert.equal(parsePruning(withPattern), withPattern, "parsed values parse again");
  assert.equal(parsePruning({ sparsity: 0.3, variant: true }), { sparsity: 0.3, pattern: undefined, variant: true });
  for (const raw of [
    { pattern: "2:4", sparsity: 0.5 },
    { pattern: "2:4", variant: "true" },
  ]) {
    assert.throws(
      () => parsePruning(raw),
      (error: unknown) =>
        error instanceof UsageError && /^solver: --.* and --.* exclude each other; give one/.test(error.message),
    );
  }
});

function check(text: string): void {
  if (text !== "good") throw new UsageError(`--form takes good, not ${text}`, { option: "--form" });
}

test("a text's own check is heard as it is parsed", () => {
  const table = { form: { kind: "text", description: "a form", default: "good", check } } as const satisfies OptionTable;
  assert.equal(parseOptions(table, {}, "test"), { form: "good" });
  assert.throws(() => parseOptions(table, { form: "bad" }, "test"), /--form takes good, not bad/);
});

test("no text may contain NUL, alone or in a list", () => {
  const table = {
    name: { kind: "text", description: "a text", optional: true },
    model: { kind: "resource", resource: "model", description: "a model", optional: true },
    corpora: { kind: "resource", resource: "corpus", many: true, description: "corpora", optional: true },
    languages: { kind: "list", description: "languages", optional: true },
  } as const;
  for (const [name, value] of Object.entries({ name: "a\0b", model: "a\0b", corpora: ["a", "a\0b"], languages: "a,a\0b" })) {
    assert.throws(
      () => parseOptions(table, { [name]: value }, "test"),
      (error: Error) =>
        error instanceof UsageError && error.message === `--${name} takes a text without NUL, not ${JSON.stringify("a\0b")}`,
    );
  }
});

function foreignCheck(): void {
  throw Object.assign(new Error("no form"), { code: "EPIPE" });
}

const checkAll = (values: readonly string[]): void => values.forEach((value) => check(value));

test("a list's own check is heard as it is parsed", () => {
  const table = { forms: { kind: "list", description: "forms", optional: true, check: checkAll } } as const satisfies OptionTable;
  assert.equal(parseOptions(table, { forms: "good,good" }, "capture").forms, ["good", "good"]);
  assert.throws(() => parseOptions(table, { forms: ["good", "bad"] }, "capture"), /--form takes good, not bad/);
});

test("whatever a third-party check throws refuses the text", () => {
  const table = { form: { kind: "text", description: "a form", optional: true, check: foreignCheck } } as const;
  assert.throws(
    () => parseOptions(table, { form: "bad" }, "test"),
    (error: Error) => error instanceof UsageError && error.message === '--form does not take "bad": no form',
  );
});

test("a flag that may stay open is neither true nor false until it is given", () => {
  const open = { even: { kind: "flag", description: "even", optional: true } } as const satisfies OptionTable;
  assert.equal(parseOptions(open, {}, "stage"), { even: undefined });
  assert.equal(parseOptions(open, { even: undefined }, "stage"), { even: undefined });
  assert.equal(parseOptions(open, { even: "false" }, "stage"), { even: false });
  assert.equal(parseOptions(open, { even: true }, "stage"), { even: true });
});

test.run();
