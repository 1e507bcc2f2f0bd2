import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MbsError } from "@mbs/contracts";
import { serve } from "@mbs/host-grpc";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite<{ folder: string }>("served folders");

test.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "served-folders-"));
  await writeFile(join(context.folder, "file"), "");
});
test.after(({ folder }) => rm(folder, { recursive: true }));

/** The error of a start; a server that starts is closed at once. */
async function start(store: string, modelRoot?: string): Promise<MbsError | undefined> {
  try {
    const server = await serve({
      listen: "127.0.0.1:0",
      stages: [],
      store,
      roots: { model: modelRoot },
      addressOf: async () => undefined,
      command: [],
    });
    await server.close();
    return undefined;
  } catch (error) {
    return error as MbsError;
  }
}

test("a store that is a file, or lies in one, is refused at the start", async ({ folder }) => {
  for (const store of [join(folder, "file"), join(folder, "file", "store")]) {
    const error = await start(store);
    assert.is(error?.tag, "denied");
    assert.match(error?.message ?? "", /^cannot make --store .*: a file is there; choose another path$/);
  }
});

test("a root that is no folder is refused at the start", async ({ folder }) => {
  for (const root of [join(folder, "file"), join(folder, "none")]) {
    const error = await start(join(folder, "store"), root);
    assert.is(error?.tag, "usage");
    assert.match(error?.message ?? "", /^--model-root .* is no folder; check the path$/);
  }
});

test("a store that is not there is made", async ({ folder }) => {
  assert.is(await start(join(folder, "new", "store")), undefined);
  assert.ok((await stat(join(folder, "new", "store"))).isDirectory());
});

test.run();
