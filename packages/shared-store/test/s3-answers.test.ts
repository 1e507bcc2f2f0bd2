import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InputOutputError, MbsError } from "@mbs/contracts";
import { openSharedStore, pruneStore } from "@mbs/shared-store";
import type { SharedStore } from "@mbs/shared-store";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errorOf, largeFile, smallFile } from "./artifact-files.ts";
import { s3Environment } from "./s3-environment.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

interface Context {
  folder: string;
  server: Server;
  at: string;
  /** To all but the question whether the bucket is there. */
  answer: Answer;
  store: SharedStore;
  before: NodeJS.ProcessEnv;
}

const test = suite<Context>("s3 answers");

test.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "s3-answers-"));
  context.server = createServer((request, response) => {
    if (request.method === "HEAD" && !request.url?.includes(".arrow")) return void response.writeHead(200).end();
    request.resume().on("end", () => context.answer(request, response));
  }).listen(0, "127.0.0.1");
  await once(context.server, "listening");
  context.at = `http://127.0.0.1:${(context.server.address() as AddressInfo).port}`;
  context.before = { ...process.env };
  Object.assign(process.env, s3Environment(context.at));
  context.store = await openSharedStore("s3://bucket/p", { attempts: 2 });
});
test.after(async ({ folder, server, store, before }) => {
  await store.close();
  process.env = before;
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

const named = "a".repeat(64);

const list = (content: string): Answer => {
  return (_, response) => void response.end(`<ListBucketResult>${content}</ListBucketResult>`);
};
const entry = (key: string, size: string | number = 3): string => `<Contents><Key>${key}</Key><Size>${size}</Size></Contents>`;

async function listed({ store }: Context): Promise<string[]> {
  const found: string[] = [];
  for await (const { address } of store.list()) found.push(address);
  return found;
}

const isStrange = ({ at }: Context, error: Error, why: string): void => {
  assert.instance(error, InputOutputError);
  assert.match(error.message, `the server at ${at} answers as no S3 does${why}; correct AWS_ENDPOINT_URL`);
};

test("what is no whole list does not count as one: by it nothing would be there, or needed", async (context) => {
  let pages = 0;
  const more = "<IsTruncated>true</IsTruncated>";
  const rows: readonly (readonly [Answer, string])[] = [
    [(_, response) => void response.end(), ": with no list"],
    [(_, response) => void response.end("<html><p>log in</p></html>"), ": with no list"],
    [(_, response) => void response.end("<html><br></html>"), ""],
    [list(more + entry(`p/${named}.arrow`)), ": with a list that does not go on"],
    [list(`${more}<NextContinuationToken>t</NextContinuationToken>`), ": with a list that does not go on"],
    [
      (...both) => list(`${more}<NextContinuationToken>${pages++}</NextContinuationToken>${entry(`p/${named}.arrow`)}`)(...both),
      ": with a list that does not go on",
    ],
    [list(`<IsTruncated>false</IsTruncated>${entry(`p/${named}.arrow`, -5)}`), ": with no sizes"],
    [list(`<IsTruncated>false</IsTruncated>${entry(`p/${named}.arrow`, "many")}`), ": with no sizes"],
  ];
  for (const [answer, why] of rows) {
    context.answer = answer;
    isStrange(context, await errorOf(() => listed(context)), why);
  }
});

test("what has another prefix than was asked for is not the store's", async (context) => {
  context.answer = list(`<IsTruncated>false</IsTruncated>${entry(`q/${named}.arrow`)}${entry(`p/${named}.arrow`)}`);
  assert.equal(await listed(context), [named]);
});

test("unfinished uploads that are listed without end are not", async (context) => {
  const none = list("<IsTruncated>false</IsTruncated>");
  const endless = list("<IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>");
  context.answer = (request, response) => (request.url?.includes("uploads") ? endless : none)(request, response);
  const error = await errorOf(() => pruneStore(context.store, { olderThan: 0 }));
  isStrange(context, error, ": with a list that does not go on");
});

test("an answer without a length, or with other bytes than were asked for, is no damage; nothing is left", async (context) => {
  const { folder, store } = context;
  const { address, bytes } = await largeFile(folder, 1);
  const get = () => store.get(address, join(folder, "got"));
  context.answer = (_, response) => void response.writeHead(200).end(bytes);
  isStrange(context, await errorOf(get), ": without a length");
  context.answer = ({ headers }, response) => {
    if (headers.range !== undefined) {
      response.writeHead(206, { "content-length": 10, "content-range": `bytes ${bytes.length - 10}-${bytes.length - 1}/*` });
      return void response.end(bytes.subarray(-10));
    }
    response.writeHead(200, { "content-length": bytes.length }).write(bytes.subarray(0, 1000), () => response.destroy());
  };
  assert.match((await errorOf(get)).message, /: with bytes from \d+ on where (1000|0) was asked for; correct/);
  assert.equal(await readdir(folder), ["large-1.arrow"]);
});

test("an object that is shorter or gone in the middle of a get was replaced or removed", async (context) => {
  const { folder, store } = context;
  const { address, bytes } = await largeFile(folder, 1);
  for (const [status, code, done] of [
    [416, "InvalidRange", "replaced"],
    [404, "NoSuchKey", "removed"],
  ] as const) {
    let answers = 0;
    context.answer = (_, response) => {
      if (answers++ > 0) return void response.writeHead(status).end(`<Error><Code>${code}</Code></Error>`);
      response.writeHead(200, { "content-length": bytes.length }).write(bytes.subarray(0, 1000), () => response.destroy());
    };
    const error = (await errorOf(() => store.get(address, join(folder, "got")))) as MbsError;
    assert.is(error.tag, "try-again");
    assert.match(error.message, `it was ${done} meanwhile; try again`);
  }
});

test("parts are put for an upload that has a name alone", async (context) => {
  const { folder, store } = context;
  const { address, path } = await largeFile(folder, 9);
  const puts: string[] = [];
  context.answer = ({ method, url }, response) => {
    if (method === "PUT") puts.push(String(url));
    response.writeHead(method === "HEAD" ? 404 : 200).end(method === "POST" ? "<InitiateMultipartUploadResult/>" : "");
  };
  isStrange(context, await errorOf(() => store.put(address, path)), ": with an upload without a name");
  assert.equal(puts, []);
});

test("a redirect names the remedy, and a code of the server's own making is not said", async (context) => {
  const { folder, store, at } = context;
  const { address } = await smallFile(folder);
  const answers = [
    [308, "X", `the server at ${at} sends elsewhere (X (308)); give AWS_ENDPOINT_URL the address`],
    [400, "two\nlines", "HTTP 400; check the server"],
    [403, "\u001b[31mred", "refuses this user, HTTP 403; check"],
    [400, "x".repeat(100_000), "HTTP 400; check the server"],
  ] as const;
  for (const [status, code, said] of answers) {
    context.answer = (_, response) => void response.writeHead(status).end(`<Error><Code>${code}</Code></Error>`);
    const { message } = await errorOf(() => store.get(address, join(folder, "got")));
    assert.match(message, said);
    assert.ok(message.length < 400 && !message.includes("\n") && !message.includes("\u001b"));
  }
});

test.run();
