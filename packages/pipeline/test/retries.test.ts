import { InputOutputError } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { InputLostError, WorkerLostError } from "../src/run/node-worker.ts";
import { Retries } from "../src/run/retries.ts";

const test = suite("retries of a run");

test("a node whose worker ends is tried once more", () => {
  const said: string[] = [];
  const retries = new Retries("out", (line) => said.push(line));
  const lost = new WorkerLostError("worker 1 was ended by SIGKILL");
  assert.equal(
    [retries.canTryAgain("a", lost), retries.canTryAgain("b", lost), retries.canTryAgain("a", lost)],
    [true, true, false],
  );
  assert.equal(
    said,
    ["a", "b"].map((node) => `${node}: worker 1 was ended by SIGKILL; it is tried again`),
  );
});

test("an artifact is made again twice for all its readers, and others of the same reader are counted apart", () => {
  const said: string[] = [];
  const retries = new Retries("out", (line) => said.push(line));
  const lose = (reader: string, ...addresses: string[]): void =>
    retries.countLoss(reader, new InputLostError(`${addresses.join()} was damaged and is removed`, addresses));
  lose("add", "x", "y");
  lose("add", "z");
  lose("factor", "x");
  assert.is(said[1], "add: z was damaged and is removed; the run in out makes it again");
  try {
    lose("add", "z", "x");
    assert.unreachable();
  } catch (error) {
    assert.instance(error, InputOutputError);
    assert.match(
      String(error),
      /^InputOutputError: add: z,x was damaged .*, and it was made again 2 times; check the disk or server/,
    );
  }
  assert.is(said.length, 3);
});

test.run();
