import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { UsageError, optionFlag } from "@mbs/contracts";
import type { OptionTable, Stage } from "@mbs/contracts";
import { stageCommand } from "@mbs/host-cli";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { send } from "../src/protocol/messages-in-order.ts";
import type { Value } from "../src/protocol/messages.ts";
import { fromValue } from "../src/protocol/option-values.ts";
import { requireOptions, resolveOptions } from "../src/server/stage-call.ts";
import { childArguments } from "../src/server/stage-child.ts";
import { segmentMessages, withServer } from "./fixtures/fake-server.ts";
import { all, callOf, errorOf } from "./fixtures/flight-client.ts";

const test = suite("injected flags");

/** An option of each kind. */
const table = {
  whole: { kind: "integer", description: "a whole number", optional: true },
  real: { kind: "number", description: "a number", optional: true },
  yes: { kind: "flag", description: "do it" },
  some: { kind: "text", description: "a text", optional: true },
  pick: { kind: "choice", choices: ["1", "two"], description: "one of them", optional: true },
  several: { kind: "list", description: "texts", optional: true },
  preset: { kind: "resource", resource: "distribution", description: "a name", optional: true },
  presets: { kind: "resource", resource: "distribution", many: true, description: "names", optional: true },
  solver: { kind: "code", builtIn: ["own"], description: "a name", optional: true },
} as const satisfies OptionTable;

const ofAllKinds: Stage = {
  name: "all",
  summary: "Take options of all kinds.",
  examples: [],
  inputs: {},
  outputs: { segments: { kind: "segments", description: "none" } },
  options: table,
  run: async () => {
    throw new Error("never run");
  },
};

const resources = { roots: {}, builtIn: { distribution: ["one", "other"] }, addressOf: async () => undefined };

/** The values that the child's command reads for an option, and words that it cannot read. */
async function readByChild(name: keyof typeof table, value: Value) {
  const given = { [name]: fromValue(name, value) };
  const { signal } = new AbortController();
  const options = await resolveOptions(await requireOptions(ofAllKinds, given), given, resources, signal);
  const outputs = { output: "-" };
  const words = childArguments({ command: [], stage: "all", options, threads: 3, readsInput: false, inputs: {}, outputs });
  const host = { program: "fake", presenters: {} };
  const command = await stageCommand(ofAllKinds, host, words, signal);
  const { operands, unknown } = command.parseOptions(words);
  assert.equal([...operands, ...unknown], [], words.join(" "));
  const { output, threads, ...read } = command.opts<Record<string, unknown>>();
  assert.equal({ output, threads }, { output: "-", threads: "3" });
  return read;
}

const texts = ["plain", "--output=/elsewhere", "--yes", "--", "-", "-3", "-o", "=", "a=b", "", "two words", "two\nlines"];

test("the child reads a value that fits its option as that value, whatever it looks like", async () => {
  for (const text of texts) {
    for (const name of ["whole", "real", "some", "pick", "several"] as const) {
      assert.equal(await readByChild(name, { text }), { [name]: text });
    }
    assert.equal(await readByChild("several", { list: { items: [text, "--yes"] } }), { several: `${text},--yes` });
  }
  for (const number of [0, -3, -1e-9, 1e21]) {
    for (const name of ["whole", "real", "some", "pick"] as const) {
      assert.equal(await readByChild(name, { number }), { [name]: String(number) });
    }
  }
  for (const flag of [true, false]) assert.equal(await readByChild("yes", { flag }), { yes: flag });
  assert.equal(await readByChild("preset", { text: "one" }), { preset: "one" });
  assert.equal(await readByChild("preset", { list: { items: ["one"] } }), { preset: "one" });
  assert.equal(await readByChild("presets", { text: "one" }), { presets: ["one"] });
  assert.equal(await readByChild("presets", { list: { items: ["one", "other"] } }), { presets: ["one", "other"] });
  assert.equal(await readByChild("solver", { text: "own" }), { solver: "own" });
});

test("a value of another kind than its option is refused, and the option named", async () => {
  const values: Readonly<Record<string, Value>> = {
    flag: { flag: true },
    number: { number: 1 },
    text: { text: "--output=/elsewhere" },
    list: { list: { items: ["own"] } },
  };
  const refused: readonly [keyof typeof table, readonly string[]][] = [
    ["whole", ["flag", "list"]],
    ["real", ["flag", "list"]],
    ["yes", ["number", "text", "list"]],
    ["some", ["flag", "list"]],
    ["pick", ["flag", "list"]],
    ["several", ["flag", "number"]],
    ["preset", ["flag", "number"]],
    ["presets", ["flag", "number"]],
    ["solver", ["flag", "number", "list"]],
  ];
  assert.is(refused.length, Object.keys(table).length);
  for (const [name, fields] of refused) {
    for (const field of fields) {
      const error: unknown = await errorOf(readByChild(name, values[field] ?? {}));
      assert.instance(error, UsageError, `${name} as ${field}`);
      const { message } = error as UsageError;
      assert.ok(message.startsWith(`${optionFlag(name)} takes a value as `), message);
      assert.ok(message.endsWith(`, not as ${field}`), message);
    }
  }
});

test("options that depend on another are checked too", async () => {
  const stage: Stage = { ...ofAllKinds, options: {}, moreOptions: async () => table };
  const error: unknown = await errorOf(requireOptions(stage, { yes: "--output=/elsewhere" }));
  assert.is((error as UsageError).message, "--yes takes a value as flag, not as text");
});

test("no option of a call writes to a file of the server, or makes another flag", () =>
  withServer({}, async ({ client }) => {
    const folder = await mkdtemp(join(tmpdir(), "host-grpc-injected-"));
    const path = join(folder, "written.arrow");
    const run = async (stage: string, options: Readonly<Record<string, Value>>) => {
      const call = client.exchange();
      const answers = all(call);
      await send(call, callOf({ stage, options }));
      if (stage === "pass") {
        for await (const { header, body } of segmentMessages(1)) await send(call, { dataHeader: header, dataBody: body });
      }
      call.end();
      return answers;
    };
    for (const [name, value] of [
      ["warn", { text: `--output=${path}` }],
      ["style", { flag: true }],
      ["segments", { list: { items: ["1", "--warn"] } }],
    ] as const) {
      const { code, details } = await errorOf(run("make", { [name]: value }));
      assert.is(code, status.INVALID_ARGUMENT, details);
      assert.match(details, new RegExp(`^--${name} takes a value as`));
    }
    // a language that no segment has
    assert.ok((await run("pass", { refuse: { text: `--output=${path}` } })).length > 1);
    assert.ok((await run("pass", { refuse: { text: "--crash-after=0" } })).length > 1);
    await errorOf(access(path));
    await rm(folder, { recursive: true });
  }));

test.run();
