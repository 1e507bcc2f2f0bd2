import { test } from "uvu";
import * as assert from "uvu/assert";
import { Comparison } from "./compare-records.ts";
import type { Intended, Recorded } from "./compare-records.ts";
import { differenceText } from "./difference-text.ts";

const nothing: Intended = { renames: [], changes: [] };

const made = {
  layers: {
    kind: "layers",
    metadata: { solver: "gptq", options: { bits: 3 } },
    records: {
      "h.0 mlp-up up values": { "#data": "sha256 aa, 4 bytes", "#rows": "2" },
      "h.0 mlp-up up codes": { "#data": "sha256 bb, 4 bytes", "#rows": "2" },
    },
  },
  "README.md": "# Model\nmade with a mixture of types\n",
};

/** The same with another value somewhere. */
function changed(path: readonly string[], value: Recorded): Recorded {
  const copy = structuredClone(made) as { [key: string]: Recorded };
  let place = copy;
  for (const key of path.slice(0, -1)) place = place[key] as typeof copy;
  place[path.at(-1) ?? ""] = value;
  return copy;
}

const compare = (after: Recorded, intended = nothing, before: Recorded = made) =>
  new Comparison(intended).compare("case", before, after);

test("what is the same does not differ", () => {
  assert.equal(compare(structuredClone(made)), []);
});

test("a flipped bit is found, and no list excuses it", () => {
  const path = ["layers", "records", "h.0 mlp-up up values", "#data"];
  const after = changed(path, "sha256 ab, 4 bytes");
  const difference = {
    path: "case/layers/records/h.0 mlp-up up values/#data",
    bits: true,
    before: "sha256 aa, 4 bytes",
    after: "sha256 ab, 4 bytes",
  };
  assert.equal(compare(after), [difference]);
  const all: Intended = { ...nothing, changes: [{ path: "*", why: "everything" }] };
  assert.equal(compare(after, all), [difference]);
  assert.match(differenceText([difference]), /BITS case\/layers.*aa.*→.*ab/);
});

const meant = (from: number, to: number): Intended => ({
  ...nothing,
  changes: [{ path: "*/options/bits", from, to, why: "4 is the default now" }],
});

test("a changed value of JSON is found, and excused where it is meant, with that value alone", () => {
  const after = changed(["layers", "metadata", "options", "bits"], 4);
  const path = "case/layers/metadata/options/bits";
  assert.equal(compare(after), [{ path, bits: false, before: 3, after: 4 }]);
  assert.equal(compare(after, meant(3, 4)), []);
  assert.is(compare(after, meant(3, 5)).length, 1);
});

test("what is gone and what is new is found, and excused by an entry without values", () => {
  const { kind: _, ...layers } = made.layers;
  const after = { ...made, layers: { ...layers, type: "layers" } };
  assert.equal(compare(after), [
    { path: "case/layers/kind", bits: false, before: "layers" },
    { path: "case/layers/type", bits: false, after: "layers" },
  ]);
  const why = "kinds are types";
  const changes = [
    { path: "*/layers/kind", why },
    { path: "*/layers/type", why },
  ];
  assert.equal(compare(after, { ...nothing, changes }), []);
});

test("a part of a text that is meant leaves no other change of it", () => {
  const meant: Intended = {
    ...nothing,
    changes: [{ path: "*README.md", from: "mixture of types", to: "type mix", why: "words" }],
  };
  assert.equal(compare(changed(["README.md"], "# Model\nmade with a type mix\n"), meant), []);
  const [difference] = compare(changed(["README.md"], "# Model!\nmade with a type mix\n"), meant);
  assert.is(difference?.path, "case/README.md");
  assert.match(differenceText(difference === undefined ? [] : [difference]), /"# Model" → "# Model!"/);
});

test("a renamed word keeps bits comparable", () => {
  const after = JSON.parse(JSON.stringify(made).replaceAll("mlp-up", "gate").replaceAll('"#data"', '"#bytes"')) as typeof made;
  assert.is(compare(after).length, 8);
  const why = "words";
  const renames = [
    { from: "mlp-up", to: "gate", why },
    { from: "data", to: "bytes", why },
  ];
  assert.equal(compare(after, { ...nothing, renames }), []);
  const flipped = JSON.parse(JSON.stringify(after).replace("sha256 aa", "sha256 ab")) as typeof made;
  assert.equal(
    compare(flipped, { ...nothing, renames }).map(({ bits, path }) => [bits, path]),
    [[true, "case/layers/records/h.0 mlp-up up values/#data"]],
  );
});

test("another order of records is found", () => {
  const records = Object.fromEntries(Object.entries(made.layers.records).toReversed());
  const [difference, ...others] = compare({ ...made, layers: { ...made.layers, records } });
  assert.equal(others, []);
  assert.is(difference?.path, "case/layers/records/#order");
  assert.is(difference?.bits, true);
});

test("entries of the list that nothing needs are named", () => {
  const entry = { path: "*/options/bits", from: 3, to: 4, why: "4 is the default now" };
  const comparison = new Comparison({ ...nothing, changes: [entry] });
  comparison.compare("case", made, made);
  assert.equal(
    comparison.unused().map(({ why }) => why),
    [entry.why],
  );
  comparison.compare("case", made, changed(["layers", "metadata", "options", "bits"], 4));
  assert.equal(comparison.unused(), []);
});

test.run();
