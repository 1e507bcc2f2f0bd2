import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DeniedError } from "@mbs/contracts";
import { fetchAlone } from "@mbs/hub";

test("a cache where no folder can be made is refused with its path, before anything is fetched", async () => {
  const folder = await mkdtemp(join(tmpdir(), "mbs-hub-cache-"));
  const file = join(folder, "file");
  await writeFile(file, "");
  try {
    await fetchAlone(join(file, "models--org--name"), () => Promise.reject(new Error("fetched")));
    assert.unreachable();
  } catch (error) {
    assert.instance(error, DeniedError);
    assert.match((error as Error).message, /^cannot make the cache [^\n]*file: a file is there; choose another path/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test.run();
