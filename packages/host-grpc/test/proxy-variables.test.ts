import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withServer } from "./fixtures/fake-server.ts";
import { makeVia } from "./fixtures/remote-make.ts";

const test = suite("variables of proxies");

const names = ["grpc_proxy", "http_proxy", "https_proxy", "no_grpc_proxy", "no_proxy"];

test("--via without TLS goes to the server itself, whatever proxy the environment names", async () => {
  const before = new Map(names.map((name) => [name, process.env[name]]));
  const folder = await mkdtemp(join(tmpdir(), "host-grpc-proxy-"));
  const tokenFile = join(folder, "mine");
  await writeFile(tokenFile, `${"t".repeat(32)}\n`, { mode: 0o600 });
  let asked = 0;
  const proxy = createServer((socket) => {
    asked += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  try {
    await withServer({}, async ({ server }) => {
      for (const name of ["grpc_proxy", "http_proxy", "https_proxy"]) {
        for (const each of names) delete process.env[each];
        process.env[name] = address;
        assert.ok((await makeVia({ via: `grpc://127.0.0.1:${server.port}`, tokenFile })) > 0, name);
      }
    });
    assert.is(asked, 0);
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    await new Promise((resolve) => proxy.close(resolve));
    await rm(folder, { recursive: true });
  }
});

test.run();
