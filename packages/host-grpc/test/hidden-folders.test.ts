import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { send } from "../src/protocol/messages-in-order.ts";
import { hideFolders } from "../src/server/hidden-folders.ts";
import { withServer } from "./fixtures/fake-server.ts";
import { all, callOf, errorOf } from "./fixtures/flight-client.ts";

test("whole names are replaced, and of folders in one another the longest", () => {
  const hide = hideFolders(
    new Map([
      ["/srv", "A"],
      ["/srv/models", "B"],
      ["/srv/models/text", "C"],
      ["/", "D"],
    ]),
  );
  for (const [text, hidden] of [
    ["/srv/models/text/en.txt: empty", "C/en.txt: empty"],
    ["/srv/models/textual: empty", "B/textual: empty"],
    ["cannot read /srv/models.", "cannot read B."],
    ["(/srv/models.old) and '/srv/models', /srv", "(A/models.old) and 'B', A"],
    ["file:///srv/x and --root=/srv", "file://A/x and --root=A"],
    ["/mnt/srv/x, ./srv/x and /srv-2/x", "/mnt/srv/x, ./srv/x and /srv-2/x"],
    ["3 tokens/s of /other", "3 tokens/s of /other"],
  ]) {
    assert.is(hide(text ?? ""), hidden);
  }
});

test("no character of a folder has a meaning of its own", () => {
  const folder = "/srv/a+b (1) [x]{2}.$^|\\";
  assert.is(hideFolders(new Map([[folder, "A"]]))(`${folder}/x`), "A/x");
});

test("a server's messages name neither its roots nor its temporary folder", async () => {
  // short names: a message repeats 80 characters
  const root = await mkdtemp(join(tmpdir(), "h-"));
  const [model, distribution] = [join(root, "m"), join(root, "m", "d")];
  await mkdir(distribution, { recursive: true });
  await withServer({ roots: { model, distribution } }, async ({ client }) => {
    for (const [path, hidden] of [
      [join(distribution, "x"), "the server's --distribution-root/x"],
      [join(model, "dx"), "the server's --model-root/dx"],
      [join(tmpdir(), "x"), "the server's temporary folder/x"],
    ] as const) {
      const call = client.exchange();
      const refused = errorOf(all(call));
      await send(call, callOf({ stage: path }));
      assert.match((await refused).details, `no stage "${hidden}"; `);
    }
  });
  await rm(root, { recursive: true });
});

test.run();
