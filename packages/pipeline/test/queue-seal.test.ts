import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { BadDataError, UsageError } from "@mbs/contracts";
import type { Stage } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkJob, isSealed, jobData, jobId, jobKey, jobLife, jobTimeLeft } from "../src/run/queue/job.ts";
import type { JobWork } from "../src/run/queue/job.ts";
import {
  parseCard,
  parseFailure,
  parseNews,
  parseOrder,
  parsePublished,
  parseResult,
  purposes,
  sealPublished,
  sealText,
} from "../src/run/queue/messages.ts";
import { circleOf, keys } from "../src/run/queue/queue-names.ts";
import { QueueSeal, signatureOf } from "../src/run/queue/queue-seal.ts";
import { fakeStages } from "./fixtures/fake-stages.ts";
import { failure } from "./fixtures/run-fakes.ts";

interface Context {
  root: string;
  ours: QueueSeal;
  other: QueueSeal;
  none: QueueSeal;
}

const queue = suite<Context>("signed jobs");
const secret = "5ec2e7".repeat(8);
const ignore = (): void => undefined;
const version = "1.2.3";

queue.before.each(async (context) => {
  context.root = await mkdtemp(join(tmpdir(), "mbs-seal-"));
  const open = async (key: string): Promise<QueueSeal> => {
    const file = join(context.root, `key-${key.slice(0, 4)}`);
    await writeFile(file, `${key}\n`, { mode: 0o600 });
    return QueueSeal.open(file, ignore);
  };
  context.ours = await open(secret);
  context.other = await open("0therk".repeat(8));
  context.none = await QueueSeal.open(undefined, ignore);
});
queue.after.each(({ root }) => rm(root, { recursive: true }));

const address = "a".repeat(64);
const work: JobWork = {
  stage: "add",
  options: {},
  inputs: { statistics: [address] },
  threads: 1,
  processors: "linux",
  mbs: version,
};
const id = jobId(jobKey(work));
const stages = new Map([...fakeStages()].map(([name, stage]) => [name, async (): Promise<Stage> => stage]));

/** What a worker refuses a job with; undefined where it takes it. */
async function refusal(data: unknown, seal: QueueSeal, as = id): Promise<string | undefined> {
  const error = await failure(checkJob(data, as, { seal, version, stages }));
  if (error === undefined) return undefined;
  assert.instance(error, BadDataError);
  return (error as Error).message;
}

queue("a worker takes a job that is signed with its key, and no other", async ({ ours, other, none }) => {
  const data = jobData(work, "run-1", ours);
  assert.is(await refusal(data, ours), undefined);
  assert.match((await refusal(data, other)) ?? "", /not signed with this worker's key; give runs and workers the same file by/);
  assert.match((await refusal(data, none)) ?? "", /it is signed, and this worker has no key; give .* by --queue-key-file/);
  const plain = jobData(work, "run-1", none);
  assert.is(await refusal(plain, none), undefined);
  assert.match((await refusal(plain, ours)) ?? "", /not signed with this worker's key/);
});

const nestedBy = (levels: number): unknown => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);

queue("a job that is nested without end is refused, signed or not, and is no fault of the worker", async ({ ours, none }) => {
  const job = jobData(work, "run-1", none);
  const plain = { ...job, options: { nested: nestedBy(9000) } };
  assert.is(await refusal(plain, none), "the job was refused: it is no job, or a very long or deeply nested one");
  const signed = ours.seal(`job ${id}`, { ...job, options: { nested: nestedBy(500) } });
  assert.match((await refusal(signed, ours)) ?? "", /^the job was refused: /);
});

queue("where a model is in the store is what someone with the key has said of this model", ({ ours, other, none }) => {
  const [model, artifact] = ["b".repeat(64), address];
  const text = sealPublished(ours, model, artifact);
  assert.is(parsePublished(model, text, ours), artifact);
  assert.is(parsePublished("c".repeat(64), text, ours), undefined);
  assert.is(parsePublished(model, text, other), undefined);
  assert.is(parsePublished(model, sealPublished(none, model, artifact), ours), undefined);
  assert.is(parsePublished(model, sealPublished(none, model, artifact), none), artifact);
});

queue("a job that was signed long ago is still known as the run's, though no worker takes it", async ({ ours, other }) => {
  const old = ours.seal(`job ${id}`, { ...work, run: "run-1", ends: Date.now() - 1 });
  assert.is(jobTimeLeft(old, id, ours), 0);
  assert.ok(isSealed(old, id, ours));
  assert.not(isSealed(old, id, other));
  assert.match((await refusal(old, ours)) ?? "", /its signature ended at/);
});

queue("a signature is that of one job: not a byte of it may change, nor its name", async ({ ours }) => {
  const data = jobData(work, "run-1", ours) as { signed: string; signature: string };
  const { signed, signature } = data;
  const changed: unknown[] = [
    { signed: signed.replace('"threads":1', '"threads":2'), signature },
    { signed: signed.replace("run-1", "run-2"), signature },
    { signed: signed.replace(/"ends":\d/, '"ends":9'), signature },
    { signed: `${signed} `, signature },
    { signed, signature: signature.replace(/^./, (digit) => (digit === "0" ? "1" : "0")) },
    { signed, signature: signature.slice(1) },
    { signed, signature: "" },
    { signed, signature: signature.toUpperCase() },
    { signed },
    { ...(JSON.parse(signed) as object), signature },
  ];
  for (const each of changed) assert.match((await refusal(each, ours)) ?? "", /not signed with/, JSON.stringify(each));
  const second = { ...work, threads: 2 };
  assert.match((await refusal(data, ours, jobId(jobKey(second)))) ?? "", /not signed with/, "under another job's name");
  assert.is(jobTimeLeft({ signed, signature: "0".repeat(64) }, id, ours), 0);
});

queue("a signature ends, and clocks that are hours apart do no harm", async ({ ours, none }) => {
  const data = jobData(work, "run-1", ours);
  const plain = jobData(work, "run-1", none);
  const { now } = Date;
  try {
    for (const hours of [-11, 11]) {
      Date.now = () => now() + hours * 3_600_000;
      assert.is(await refusal(data, ours), undefined, `${hours} hours`);
    }
    const hour = 3_600_000;
    Date.now = () => now() + jobLife - hour;
    assert.ok(jobTimeLeft(data, id, ours) > hour / 2 && jobTimeLeft(data, id, ours) <= hour);
    Date.now = () => now() + jobLife + 1000;
    assert.match((await refusal(data, ours)) ?? "", /its signature ended at \S+Z, and it is \S+Z here; set this machine's clock/);
    assert.is(jobTimeLeft(data, id, ours), 0);
    assert.is(await refusal(plain, none), undefined, "without a key nothing ends");
  } finally {
    Date.now = now;
  }
  for (const ends of [undefined, null, "x", Infinity, 1e300, Number.NaN]) {
    const odd = ours.seal(`job ${id}`, { ...work, run: "run-1", ends });
    assert.match((await refusal(odd, ours)) ?? "", /its signature ended at/, String(ends));
  }
});

queue("a job of another version is refused by name, signed or not", async ({ ours, none }) => {
  const newer = { ...work, mbs: "1.3.0" };
  for (const seal of [ours, none]) {
    const message = await refusal(jobData(newer, "run-7", seal), seal, jobId(jobKey(newer)));
    assert.match(message ?? "", /run "run-7" has mbs "1\.3\.0" and this worker 1\.2\.3; install the same version on both/);
  }
  assert.is.not(jobKey(newer), jobKey(work), "what another version has made is not found");
});

queue("answers are taken from those who have the key, each for what it is for", ({ ours, other, none }) => {
  const result = { address, by: "worker-1", worker: "host (process 1)", warnings: [], traffic: { fetched: 1, put: 2 } };
  const text = sealText(ours, purposes.result("k1"), result);
  assert.equal(parseResult("k1", text, ours), result);
  for (const [key, seal] of [
    ["k2", ours],
    ["k1", other],
    ["k1", none],
  ] as const) {
    assert.is(parseResult(key, text, seal), undefined);
  }
  assert.is(parseResult("k1", JSON.stringify(result), ours), undefined);
  assert.equal(parseResult("k1", JSON.stringify(result), none), result);

  const why = { tag: "bad-data" as const, message: "wrong", worker: "host (process 1)", lost: [] };
  const signature = signatureOf(jobData(work, "run-1", ours)) ?? "";
  const failed = sealText(ours, purposes.failure(id, signature), why);
  assert.equal(parseFailure(purposes.failure(id, signature), failed, ours), why);
  assert.is(parseFailure(purposes.failure(id, "0".repeat(64)), failed, ours), undefined, "of an earlier job of this name");
  assert.is(parseFailure(purposes.failure(id, signature), JSON.stringify(why), ours), undefined);

  const news = { kind: "again", id: "node-1", message: "m" };
  assert.equal(parseNews(sealText(ours, purposes.news, news), ours), news);
  assert.is(parseNews(JSON.stringify(news), ours), undefined);
  const order = { kind: "cancel", id: "node-1" };
  assert.equal(parseOrder(sealText(ours, purposes.orders, order), ours), order);
  assert.is(parseOrder(JSON.stringify(order), ours), "foreign");
  assert.is(parseOrder(sealText(ours, purposes.news, order), ours), "foreign");
  assert.is(parseOrder("no JSON", ours), undefined);
});

queue("a card is that of one worker, and names those with another key", ({ ours, none }) => {
  const card = {
    id: "w1",
    name: "host (process 1)",
    processors: "linux",
    labels: ["large"],
    threads: 2,
    mbs: version,
    hasTrouble: false,
  };
  const text = sealText(ours, purposes.card("w1"), card);
  assert.equal(parseCard(keys.worker("w1"), text, ours), card);
  assert.equal(parseCard(keys.worker("w2"), text, ours), { foreign: "host (process 1)" });
  assert.equal(parseCard(keys.worker("w1"), text, none), { foreign: "host (process 1)" });
  assert.equal(parseCard(keys.worker("w1"), JSON.stringify(card), ours), { foreign: "host (process 1)" });
  assert.is(parseCard(keys.worker("w1"), "5", ours), undefined);
  for (const labels of ["large", [7], ["a b"], null]) {
    assert.is(parseCard(keys.worker("w1"), sealText(ours, purposes.card("w1"), { ...card, labels }), ours), undefined);
  }
});

queue("the key is in nothing that is sent or shown, and its name differs by key", ({ ours, other, none }) => {
  const shown = [inspect(ours, { depth: 9 }), JSON.stringify(ours), JSON.stringify(jobData(work, "run-1", ours)), ours.keyName];
  assert.not.match(shown.join(), new RegExp(secret.slice(0, 12)));
  assert.match(circleOf("1.2.3+a", ours.keyName), /^mbs-1\.2\.3-a\.key-[0-9a-f]{8}$/);
  assert.is.not(ours.keyName, other.keyName);
  assert.is(circleOf("1.2.3", none.keyName), "mbs-1.2.3");
});

queue("a key file that is missing, empty, short or open to others gives a line with the remedy", async ({ root }) => {
  const file = join(root, "key");
  const told = (): Promise<unknown> => failure(QueueSeal.open(file, ignore));
  assert.match(String(await told()), /could not read \(--queue-key-file\) .*key|--queue-key-file/);
  await writeFile(file, "\n");
  assert.match(String(await told()), /begins with an empty line; its first line is the queue's key/);
  await writeFile(file, "hunter2\n");
  const short = await told();
  assert.instance(short, UsageError);
  assert.match(String(short), /has fewer than 32 characters.*openssl rand -hex 32/);
  assert.not.match(String(short), /hunter2/);
  // two of these would be one key, since neither is text
  await writeFile(file, Buffer.alloc(40, 0xfa));
  assert.match(String(await told()), /has blanks, or other characters than those of ASCII; make one: .*openssl rand -hex 32/);
  await writeFile(file, `${secret} \n`);
  assert.match(String(await told()), /has blanks, or other characters/);
  await writeFile(file, `${secret}\n`);
  const warnings: string[] = [];
  await QueueSeal.open(file, (line) => warnings.push(line));
  assert.match(warnings.join(), /can be read by other users of this machine; .* chmod 600/);
});

queue.run();
