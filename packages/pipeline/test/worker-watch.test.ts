import { test } from "uvu";
import * as assert from "uvu/assert";
import { purposes, sealText } from "../src/run/queue/messages.ts";
import type { WorkerCard } from "../src/run/queue/messages.ts";
import type { QueueConnection } from "../src/run/queue/queue-connection.ts";
import { circleOf, keys } from "../src/run/queue/queue-names.ts";
import { QueueSeal } from "../src/run/queue/queue-seal.ts";
import { WorkerWatch } from "../src/run/queue/worker-watch.ts";
import { failure } from "./fixtures/run-fakes.ts";

const version = "1.2.3";
const seal = await QueueSeal.open(undefined, () => undefined);

/** A watch of a server at which workers with these labels are, and what it warns of. @param refusal of whatever is written */
function watchOf(workers: readonly (readonly string[])[], refusal?: Error): { watch: WorkerWatch; warnings: string[] } {
  const cards = workers.map((labels, index): WorkerCard => {
    const id = `w${index}`;
    return { id, name: `host (process ${index})`, processors: "linux", labels, threads: 1, mbs: version, hasTrouble: false };
  });
  const texts = new Map(cards.map((card) => [keys.worker(card.id), sealText(seal, purposes.card(card.id), card)]));
  const redis = {
    publish: async () => 0,
    set: async () => (refusal === undefined ? "OK" : Promise.reject(refusal)),
    scan: async () => ["0", [...texts.keys()]],
    mget: async (...names: readonly string[]) => names.map((name) => texts.get(name) ?? null),
  } as unknown as QueueConnection["redis"];
  const connection: QueueConnection = {
    place: "redis://head:6379",
    redis,
    seal,
    version,
    circle: circleOf(version, undefined),
    subscribe: async () => undefined,
    close: () => undefined,
  };
  const warnings: string[] = [];
  return { watch: new WorkerWatch(connection, (message) => warnings.push(message)), warnings };
}

test("a label that jobs wait for and no worker has is named once, with those that there are", async () => {
  const { watch, warnings } = watchOf([["large", "old"], ["large"]]);
  const told = await watch.warnOfNone("linux", new Set([undefined, "large", "lrage"]), new Set());
  assert.equal([...told], ["lrage"]);
  assert.equal(warnings, [
    "waiting: no worker with the label lrage is at redis://head:6379; those that are there have large, old; start one with --label lrage, or correct --worker-labels",
  ]);
  assert.equal([...(await watch.warnOfNone("linux", new Set(["lrage"]), told))], ["lrage"]);
  assert.is(warnings.length, 1);
  assert.is((await watch.warnOfNone("linux", new Set(["large"]), told)).size, 0);
});

test("where no worker of the class is there, the command to start one has the label", async () => {
  const { watch, warnings } = watchOf([["large"]]);
  assert.equal([...(await watch.warnOfNone("mac", new Set(["large"]), new Set()))], ["large"]);
  assert.match(
    warnings.join("\n"),
    /^waiting: no worker of class mac that this run takes is at redis:\/\/head:6379; those that are there are linux; start one with mbs work, --label large, the --queue options/,
  );
  assert.is((await watch.warnOfNone("mixed", new Set(["large"]), new Set())).size, 0);
});

test("a server that takes nothing from workers is not said to have none", async () => {
  const refusal = Object.assign(new Error("OOM command not allowed"), { name: "ReplyError" });
  const { watch, warnings } = watchOf([], refusal);
  assert.is(await failure(watch.first(undefined, new AbortController().signal)), refusal);
  assert.is(await failure(watch.warnOfNone("linux", new Set([undefined]), new Set())), refusal);
  assert.equal(warnings, []);
});

test.run();
