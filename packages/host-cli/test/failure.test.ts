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
    EWHATEVER: 70,
  };
  for (const [code, exit] of Object.entries(expected)) assert.is(exitCodes[toMbsError(systemError(code)).tag], exit, code);
});

test("one of ours stays what it is", () => {
  const error = new BadDataError("cut short");
  assert.is(toMbsError(error), error);
});

test("anything else thrown is a bug", () => {
  assert.is(toMbsError("text").tag, "internal");
  assert.is(toMbsError(undefined).tag, "internal");
  assert.is(toMbsError(new RangeError("x")).tag, "internal");
});

test("a message is one line", () => {
  assert.is(oneLine("mbs pass", new BadDataError("first\n  second")), "mbs pass: first second\n");
});

test("what would command a terminal is spelt out", () => {
  assert.is(oneLine("mbs", new BadDataError("tensor \u001b[31mred\u009b\u202e")), "mbs: tensor \\u001b[31mred\\u009b\\u202e\n");
});

test.run();
