import { Metadata, status } from "@grpc/grpc-js";
import type { MbsError } from "@mbs/contracts";
import { InterruptedError, TryAgainError, UsageError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { IdleError, fromStatus, toStatus } from "../src/protocol/status.ts";

test("a message that is too long for a client's headers is cut", () => {
  for (const text of ["x".repeat(100_000), "word ".repeat(20_000), "語".repeat(9000), "語 ".repeat(9000)]) {
    const { code, details } = toStatus(new UsageError(text));
    assert.is(code, status.INVALID_ARGUMENT);
    assert.ok(encodeURI(details).length <= 8192, `${encodeURI(details).length} bytes`);
  }
});

test("a lone surrogate, which the library could not send, becomes U+FFFD", () => {
  const { details } = toStatus(new UsageError("no \ud800; give another"));
  assert.is(details, "no \ufffd; give another");
  assert.type(encodeURI(toStatus(new UsageError(`${"x ".repeat(399)}x😀 more`)).details), "string");
});

test("silence, shutdown and cancellation have each a status of its own", () => {
  assert.is(toStatus(new IdleError("silent", 1000)).code, status.DEADLINE_EXCEEDED);
  assert.is(toStatus(new TryAgainError("later")).code, status.UNAVAILABLE);
  assert.is(toStatus(new InterruptedError("cancelled")).code, status.CANCELLED);
});

/** The error that our client makes of a status. */
const received = (ending: { code: number; details: string; metadata: Metadata }): MbsError =>
  fromStatus(Object.assign(new Error(ending.details), ending), "grpc://here:1") as MbsError;

test("the message asks whether the server runs only where the status is not from it", () => {
  const own = received(toStatus(new TryAgainError("the server is shutting down; call again later")));
  assert.is(own.tag, "try-again");
  assert.is(own.message, "grpc://here:1: the server is shutting down; call again later");
  const none = received({ code: status.UNAVAILABLE, details: "No connection established", metadata: new Metadata() });
  assert.is(none.tag, "try-again");
  assert.is(none.message, "grpc://here:1: No connection established; is the server running there?");
  const details = "Name resolution failed for target dns:here:1";
  const unknown = received({ code: status.UNAVAILABLE, details, metadata: new Metadata() });
  assert.is(unknown.message, `grpc://here:1: ${details}; check the name of the host`);
});

test.run();
