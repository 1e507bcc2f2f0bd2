import { test } from "uvu";
import * as assert from "uvu/assert";
import { markdownTable, replaceBlocks } from "./blocks.ts";

const page =
  "A\n<!-- compare one -->\nold\n<!-- end -->\nB\n<!-- compare two -->\nkept\n<!-- end -->\n<!-- bench one -->\nother\n<!-- end -->\n";

test("only the block of the kind and name is replaced, and again in the same way", () => {
  const made = replaceBlocks(page, "compare", { one: "new" });
  assert.is(made, page.replace("\nold\n", "\n\nnew\n\n"));
  assert.is(replaceBlocks(made, "compare", { one: "new" }), made);
});

test("a dollar sign in a table is no reference to what was found", () => {
  assert.match(replaceBlocks(page, "compare", { one: "$& $1" }), /\$& \$1/);
});

test("columns after the texts are set to the right", () => {
  assert.is(markdownTable(["a", "b"], [["x", "1"]]), "| a | b |\n| --- | ---: |\n| x | 1 |");
});

test.run();
