import { parseOptions, printableLines, quoted, shortened } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("a short value is repeated whole, of a long one the start and its length", () => {
  assert.is(quoted("much"), '"much"');
  assert.is(quoted(undefined), "undefined");
  assert.is(quoted({ a: 1 }), '{"a":1}');
  const long = quoted("x".repeat(100_000));
  assert.is(long, `"${"x".repeat(79)}… (100002 characters)`);
});

test("names in a result cannot command a terminal; lines, columns and our colours stay", () => {
  const own = "\u001B[1ma\u001B[22m\t\u001B[33mb\u001B[39m\n";
  assert.is(printableLines(own), own);
  for (const hostile of ["\u001B[2J", "\u001B[8m", "\u001B]0;title\u0007", "\u009B2J", "\r", "\u202E"])
    assert.not.match(printableLines(`km${hostile}`), /[\p{Cc}\u202E]/u);
});

test("no cut leaves half a character", () => {
  const halves = /\p{Surrogate}/u;
  for (const text of [`${"x".repeat(78)}${"😀".repeat(50)}`, `${"x".repeat(79)}${"😀".repeat(50)}`]) {
    assert.not.match(quoted(text), halves);
    assert.not.match(shortened(text.repeat(10)), halves);
  }
});

test("what an option refuses is quoted short, whatever its kind", () => {
  const kinds = {
    whole: { kind: "integer", description: "", optional: true },
    number: { kind: "number", description: "", optional: true },
    flag: { kind: "flag", description: "" },
    choice: { kind: "choice", description: "", choices: ["a"], optional: true },
    list: { kind: "list", description: "", optional: true },
    text: {
      kind: "text",
      description: "",
      optional: true,
      check: () => {
        throw new Error("no");
      },
    },
  } as const;
  const long = "y".repeat(100_000);
  for (const name of Object.keys(kinds)) {
    const value = name === "list" ? { long } : long;
    assert.throws(
      () => parseOptions(kinds, { [name]: value }, "test"),
      (error: Error) => error.message.length < 250 && error.message.includes("characters)"),
      name,
    );
  }
});

test.run();
