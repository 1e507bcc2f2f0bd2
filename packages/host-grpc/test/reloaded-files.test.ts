import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ReloadedFiles } from "../src/server/reloaded-files.ts";

const test = suite("reloaded files");

test("a warning of content that stays the same is said once it is true, and once", async () => {
  const folder = await mkdtemp(join(tmpdir(), "host-grpc-reloaded-"));
  try {
    const path = join(folder, "certificate");
    await writeFile(path, "content", { mode: 0o600 });
    const log: string[] = [];
    const looks: boolean[] = [];
    let isLate = false;
    const warning = (value: string): string | undefined => {
      looks.push(isLate);
      return isLate ? `${value} is late` : undefined;
    };
    const files = await ReloadedFiles.open({ "--cert": path }, String, path, 5, (line) => log.push(line), { warning });
    assert.equal(log, []);
    isLate = true;
    while (looks.filter(Boolean).length < 5) await delay(5);
    files.close();
    assert.equal(log, ["content is late"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
