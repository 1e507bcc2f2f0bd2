import { test } from "uvu";
import * as assert from "uvu/assert";
import { optionTable, thirdPartyCode } from "../src/index.ts";
import type { OptionTable, Stage } from "../src/index.ts";

const options: OptionTable = {
  solver: { kind: "code", builtIn: ["own", "other"], description: "a solver", optional: true },
  file: { kind: "text", description: "a text", optional: true },
};

test("code is the program's where it has one of its names, and nothing else", () => {
  for (const solver of [undefined, "own", "other"]) assert.is(thirdPartyCode(options, { solver }), undefined);
  for (const solver of ["./own", "owner", "", ["own"], 5, null]) {
    assert.is(thirdPartyCode(options, { solver })?.name, "solver", String(solver));
  }
  assert.is(thirdPartyCode(options, { file: "./mine.js" }), undefined, "a text is no code");
});

test("the table has the options that depend on those given", async () => {
  const width: OptionTable = { width: { kind: "integer", description: "a number", optional: true } };
  const stage = { options, moreOptions: async ({ solver }) => (solver === "own" ? width : {}) } as Partial<Stage> as Stage;
  assert.equal(Object.keys(await optionTable(stage, { solver: "own" })), ["solver", "file", "width"]);
  assert.equal(Object.keys(await optionTable(stage, {})), ["solver", "file"]);
  assert.equal(await optionTable({ options } as Partial<Stage> as Stage, {}), options);
});

test.run();
