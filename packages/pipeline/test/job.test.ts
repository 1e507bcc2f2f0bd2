import { BadDataError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkJob, jobData, jobId, jobKey } from "../src/run/queue/job.ts";
import type { JobWork } from "../src/run/queue/job.ts";

const work: JobWork = { stage: "add", options: {}, inputs: {}, threads: 1, processors: "x" };

test("a job that is nested without end is refused, not a fault of the worker", async () => {
  const nested = JSON.parse(`${"[".repeat(9000)}${"]".repeat(9000)}`) as unknown;
  const error: unknown = await checkJob({ ...jobData(work), options: { nested } }, jobId(jobKey(work)), new Map()).catch(
    (thrown: unknown) => thrown,
  );
  assert.instance(error, BadDataError);
  assert.match((error as Error).message, /^the job was refused: it is no job, or a very long or deeply nested one$/);
});

test.run();
