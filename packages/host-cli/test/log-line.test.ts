import { quoted } from "@mbs/contracts";
import { createReporter, isLogJson, withoutQuoted } from "@mbs/host-cli";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("what a message quotes is left out: short, long and cut quotations, and several of them", () => {
  const text = "a secret text";
  const long = `${text} `.repeat(20);
  for (const value of [text, long, `with " and \\ ${text}`, `${text} "`, `lines\n${text}`]) {
    assert.not.match(withoutQuoted(`the value ${quoted(value)} is wrong; correct it`), /secret/);
    assert.not.match(withoutQuoted(`${quoted(value)} and ${quoted(long)}, or ${quoted(value)}`), /secret/);
    assert.not.match(withoutQuoted(`${quoted(value)} cut here`.slice(0, 8)), /secr/);
  }
  assert.is(withoutQuoted(`the value ${quoted(text)} is wrong; correct it`), 'the value "…" is wrong; correct it');
  assert.is(withoutQuoted(`the value ${quoted(long)} is wrong`), 'the value "…" is wrong');
  assert.is(withoutQuoted("nothing is quoted (3 characters)"), "nothing is quoted (3 characters)");
});

test("what JSON.parse says of a text is left out", () => {
  try {
    JSON.parse("a secret text");
    assert.unreachable();
  } catch (error) {
    assert.not.match(withoutQuoted((error as Error).message), /secret/);
  }
});

test("a reporter of the style json writes warnings and notes as objects, and no progress", () => {
  const lines: string[] = [];
  const reporter = createReporter("mbs run", "json", (line) => lines.push(line), 0);
  reporter.progress({ activity: "reading", done: 1, total: 2, unit: "files" });
  reporter.warn('no "text"');
  reporter.note("two\nlines");
  const parsed = lines.map((line) => JSON.parse(line) as Record<string, string>);
  for (const { time = "" } of parsed) assert.is(new Date(time).toISOString(), time);
  assert.equal(
    parsed.map(({ command, level, event, message }) => [command, level, event, message]),
    [
      ["mbs run", "warn", "warning", 'no "…"'],
      ["mbs run", "info", "note", "two\nlines"],
    ],
  );
  assert.ok(lines.every((line) => line.indexOf("\n") === line.length - 1));
});

test("the flag of a structured log is seen in both forms", () => {
  assert.ok(isLogJson(["run", "--log", "json"]));
  assert.ok(isLogJson(["run", "--log=json"]));
  assert.not(isLogJson(["run", "--log", "text", "json"]));
});

test.run();
