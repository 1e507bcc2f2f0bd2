import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BadDataError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { QualityRecord } from "../src/quality/quality-record.ts";
import { failure } from "./fixtures/run-fakes.ts";

test("a damaged record is refused with its remedy", async () => {
  const root = await mkdtemp(join(tmpdir(), "mbs-quality-"));
  const path = join(root, "quality.json");
  for (const content of ["", "null", "[", "[{}]"]) {
    await writeFile(path, content);
    const error = await failure(QualityRecord.open(path));
    assert.instance(error, BadDataError, content);
    assert.match((error as Error).message, "quality.json is damaged, or was not written by a run; remove it, and all candidates");
  }
  await rm(root, { recursive: true });
});

test.run();
