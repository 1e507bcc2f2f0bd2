import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hasRedis, startRedis } from "../fixtures/redis-server.ts";
import { runMbs, startMbs } from "../fixtures/run-mbs.ts";

const board = suite("mbs board");
const token = "0123456789abcdef-test";

const basic = (password: string): string => `Basic ${Buffer.from(`me:${password}`).toString("base64")}`;

async function isBehindToken(): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "mbs-board-"));
  const { server, url } = await startRedis(root);
  const children: ChildProcess[] = [server];
  try {
    const file = join(root, "token");
    await writeFile(file, "short\n");
    const refused = await runMbs(["board", "--queue", url, "--token-file", file]);
    assert.is(refused.code, 2);
    assert.match(refused.stderr, /is no token: 16 characters or more/);
    await writeFile(file, `${token}\n`);
    const shown = startMbs(["board", "--queue", url, "--port", "0", "--token-file", file]);
    children.push(shown);
    let said = "";
    const address = await new Promise<string>((resolve, reject) => {
      shown.stderr?.on("data", (data: Buffer) => {
        said += data.toString();
        const [found] = /http:\/\/127\.0\.0\.1:\d+/.exec(said) ?? [];
        if (found !== undefined) resolve(found);
      });
      shown.once("exit", () => reject(new Error(said)));
    });
    const get = (path: string, authorization?: string, method = "GET"): Promise<Response> =>
      fetch(`${address}${path}`, { method, ...(authorization !== undefined && { headers: { authorization } }) });
    for (const wrong of [undefined, "Bearer wrong", basic("wrong"), basic(""), "Bearer"]) {
      for (const path of ["/", "/api/queues", "/static/js/none.js"]) {
        const { status, headers } = await get(path, wrong);
        assert.is(status, 401, `${path} with ${wrong}`);
        assert.match(headers.get("www-authenticate") ?? "", /^Basic/);
      }
    }
    const page = await get("/", basic(token));
    assert.is(page.status, 200);
    assert.match(page.headers.get("content-security-policy") ?? "", /default-src 'self'/);
    const html = await page.text();
    const [, script = ""] = /src="(static\/js\/[^"]+)"/.exec(html) ?? [];
    assert.is((await get(`/${script}`, basic(token))).status, 200, script);
    const queues = await get("/api/queues", `Bearer ${token}`);
    assert.is(queues.status, 200);
    assert.equal(((await queues.json()) as { queues: unknown[] }).queues, []);
    assert.is((await get("/api/queues/pause", `Bearer ${token}`, "PUT")).status, 405);
    assert.not.match(said, new RegExp(token));
    shown.kill("SIGTERM");
    assert.equal(await once(shown, "exit"), [143, null]);
  } finally {
    for (const child of children) child.kill("SIGKILL");
    await rm(root, { recursive: true, force: true });
  }
}

const name = "a page and its data are there for who has the token, and nothing can be changed";
if (hasRedis) board(name, isBehindToken);
else board.skip(name, isBehindToken);

board.run();
