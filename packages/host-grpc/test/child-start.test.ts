import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { status } from "@grpc/grpc-js";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { callMake, withServer } from "./fixtures/fake-server.ts";
import { errorOf } from "./fixtures/flight-client.ts";

const test = suite("start of a stage's process");

test("a program that is not there ends each call with the remedy, and no path of the server", () =>
  withServer({ command: ["/nowhere/node"] }, async ({ client }) => {
    for (const _ of [1, 2]) {
      const { code, details } = await errorOf(callMake(client));
      assert.is(code, status.RESOURCE_EXHAUSTED);
      assert.match(details, /^the server's process of stage make could not be started \(ENOENT\); the program is not there/);
    }
  }));

test("what a process said before it crashed is in the server's log, and not in the answer", () => {
  const program = `console.error("no memory is left in /secret"); process.kill(process.pid, "SIGABRT"); setInterval(() => {}, 1000)`;
  return withServer({ command: [process.execPath, "-e", program, "--"] }, async ({ client, log }) => {
    const { code, details } = await errorOf(callMake(client));
    assert.is(code, status.INTERNAL);
    assert.is(details, "the call failed inside the server; its log says why");
    assert.match(log.join("\n"), /ended by SIGABRT[^]*the process had said:\nno memory is left in \/secret/);
  });
});

test("without a file left a call fails with the remedy, and the server goes on", async () => {
  const fixture = fileURLToPath(new URL("fixtures/server-without-files.ts", import.meta.url));
  const words = `'${process.execPath}' --conditions=mbs-source --import tsx '${fixture}'`;
  const { stdout } = spawn("sh", ["-c", `ulimit -n 200; exec ${words}`], { stdio: ["ignore", "pipe", "inherit"] });
  const [before, without, after] = (await text(stdout)).split("\n");
  assert.match(before ?? "", /^\d+ answers$/);
  assert.match(
    without ?? "",
    /RESOURCE_EXHAUSTED: the server's process of stage make could not be started \(EMFILE\); raise the limit of open files \(ulimit -n\), or give mbs serve fewer --children$/,
  );
  assert.is(after, before);
});

test.run();
