import { test } from "uvu";
import * as assert from "uvu/assert";
import { BadDataError } from "@mbs/contracts";
import { exitCodes, oneLine, toMbsError } from "@mbs/host-cli";

const systemError = (code: string): Error => Object.assign(new Error(`${code}: write '/x'`), { code });

test("errors of the system get the code of their kind", () => {
  const expected = {
    EPIPE: 141,
    ENOSPC: 74,
    EFBIG: 74,
    EIO: 74,
    ENOENT: 74,
    ENAMETOOLONG: 74,
    EACCES: 77,
    EROFS: 77,
    EEXIST: 74,
    EWHATEVER: 70,
  };
  for (const [code, exit] of Object.entries(expected)) assert.is(exitCodes[toMbsError(systemError(code)).tag], exit, code);
});

test("an error of the operating system is no bug, whatever its code", () => {
  const { tag, message } = toMbsError(Object.assign(systemError("ENXIO"), { syscall: "open" }));
  assert.is(exitCodes[tag], 74);
  assert.match(message, /^ENXIO: write '\/x'; check the path/);
});

test("an MbsError stays as it is", () => {
  const error = new BadDataError("cut short");
  assert.is(toMbsError(error), error);
});

test("any other thrown value is a bug", () => {
  assert.is(toMbsError("text").tag, "internal");
  assert.is(toMbsError(undefined).tag, "internal");
  assert.is(toMbsError(new RangeError("x")).tag, "internal");
});

test("a message is one line", () => {
  assert.is(oneLine("mbs pass", new BadDataError("first\n  second")), "mbs pass: first second\n");
});

const recipeOf = (length: number): string => `/${"x".repeat(length - 6)}.yaml`;
const said = (path: string): string => oneLine("mbs run", new BadDataError(`${path} is no recipe`));

test("a name of more than 300 characters is shortened, and what is said about it stays", () => {
  assert.is(said(recipeOf(300)), `mbs run: ${recipeOf(300)} is no recipe\n`);
  assert.match(said(recipeOf(5000)), /^mbs run: \/x{149}…x{145}\.yaml is no recipe\n$/);
});

test("control characters of terminals are escaped", () => {
  assert.is(oneLine("mbs", new BadDataError("tensor \u001b[31mred\u009b\u202e")), "mbs: tensor \\u001b[31mred\\u009b\\u202e\n");
});

test.run();
