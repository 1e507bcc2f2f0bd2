import { test } from "uvu";
import * as assert from "uvu/assert";
import { isLoopback, parseAddress } from "../src/protocol/address.ts";

test("an address is [SCHEME://]HOST:PORT, and its scheme says whether calls are encrypted", () => {
  for (const [text, host, port, isTls] of [
    ["127.0.0.1:8815", "127.0.0.1", 8815, undefined],
    ["grpc://localhost:0", "localhost", 0, false],
    ["grpc+tcp://example.org:80/", "example.org", 80, false],
    ["grpcs://[::1]:65535", "[::1]", 65_535, true],
    ["grpc+tls://example.org:443", "example.org", 443, true],
  ] as const) {
    assert.equal(parseAddress(text), { host, port, isTls }, text);
  }
});

test("anything else is refused", () => {
  for (const text of [
    "",
    "localhost",
    "localhost:",
    "localhost:65536",
    "http://a:1",
    "GRPCS://a:1",
    "grpcs:a:1",
    "::1:1",
    "a b:1",
    "u@a:1",
    "a:1/x",
  ]) {
    assert.throws(() => parseAddress(text), /is no address; give one such as grpc:/, text);
  }
});

test("loopback is localhost, ::1 and 127.0.0.0/8 alone", () => {
  for (const host of ["localhost", "[::1]", "::1", "127.0.0.1", "127.9.9.9"]) assert.ok(isLoopback(host), host);
  for (const host of ["127.example.org", "0.0.0.0", "[::]", "10.0.0.1", "localhost.example.org"])
    assert.not(isLoopback(host), host);
});

test.run();
