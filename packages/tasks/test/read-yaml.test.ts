import { test } from "uvu";
import * as assert from "uvu/assert";
import { scanKeys } from "../src/catalogue/scan-keys.ts";
import { print } from "../src/python/print.ts";
import type { PythonValue } from "../src/python/values.ts";
import { FunctionReference } from "../src/yaml/function-reference.ts";
import { asSettings, parseYaml } from "../src/yaml/read-yaml.ts";

/** What `print(yaml.safe_load(text))` writes with PyYAML 6. */
const printed: [string, string][] = [
  ["[yes, No, on, y, n, true, ~, null]", "[True, False, True, 'y', 'n', True, None, None]"],
  ["[1, 010, 0x1F, 1_000, +3, 1:30, 1.0, 1e3, 1.5e+3, .5, 08]", "[1, 8, 31, 1000, 3, 90, 1.0, '1e3', 1500.0, 0.5, '08']"],
  ["a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\na: 3\n", "{'a': 3, 'c': {'b': 1, 'd': 2}}"],
  ["a: 'one\ntwo'\nb: \"x\\n\n  y\"\n", "{'a': 'one two', 'b': 'x\\n y'}"],
  ["a:\n  b:\n  - c: 'it''s\n  here'\n", "{'a': {'b': [{'c': \"it's here\"}]}}"],
  ["a: >-\n  folded\n  text\nb: |\n  kept\n", "{'a': 'folded text', 'b': 'kept\\n'}"],
];
for (const [text, python] of printed) {
  test(`${JSON.stringify(text)} is read as PyYAML reads it`, () => {
    assert.is(print(parseYaml(text, "a.yaml", "/tasks") as PythonValue), python);
  });
}

test("functions are kept with their folder", () => {
  const value = asSettings(parseYaml("a: !function 'sub.utils.load'\n", "a.yaml", "/tasks"), "a.yaml").get("a");
  assert.instance(value, FunctionReference);
  const { folder, module, name } = value as FunctionReference;
  assert.equal([folder, module, name], ["/tasks", "sub.utils", "load"]);
});

test("the keys of the catalogue are found by their lines", () => {
  const text = `# task: no\n"task" : 'a-b' # yes\ntag:\n- one\n- "two: three"\ndescription: "x\n  group: no"\ninclude: [c, d]\nnot_task: e\n`;
  assert.equal(
    [...scanKeys(text, "a.yaml")],
    [
      ["task", "a-b"],
      ["tag", ["one", "two: three"]],
      ["include", ["c", "d"]],
    ],
  );
});

test.run();
