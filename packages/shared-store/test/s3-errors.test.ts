import { DeniedError, InputOutputError } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { s3Error } from "../src/s3/s3-errors.ts";

const test = suite("s3 errors");

test("each fault of a certificate has its own remedy; only that of an unknown authority is a file of others", () => {
  const target = { bucket: "b", at: "at https://h:9000" };
  for (const [code, said] of [
    [
      "SELF_SIGNED_CERT_IN_CHAIN",
      "is signed by no authority that is known here (SELF_SIGNED_CERT_IN_CHAIN); give a file with its authority by NODE_EXTRA_CA_CERTS",
    ],
    ["CERT_HAS_EXPIRED", "has expired (CERT_HAS_EXPIRED); renew it on the server"],
    ["CERT_NOT_YET_VALID", "is not valid yet (CERT_NOT_YET_VALID); compare the clocks of the two machines"],
    [
      "ERR_TLS_CERT_ALTNAME_INVALID",
      "is for another name (ERR_TLS_CERT_ALTNAME_INVALID); give AWS_ENDPOINT_URL a name that is in it, or the server one for this name",
    ],
    ["CERT_REVOKED", "is not trusted (CERT_REVOKED); look at it on the server"],
  ] as const) {
    const error = s3Error(Object.assign(new Error("refused"), { code }), "put", "s3://b/x", target);
    assert.instance(error, DeniedError);
    assert.is((error as DeniedError).message, `cannot put s3://b/x: the certificate at https://h:9000 ${said}`);
  }
});

test("a quota is a full store, whatever status it comes with", () => {
  for (const [name, status] of [
    ["QuotaExceeded", 403],
    ["XMinioAdminBucketQuotaExceeded", 400],
    ["InsufficientStorage", 507],
  ] as const) {
    const cause = Object.assign(new Error("refused"), { name, $metadata: { httpStatusCode: status } });
    const error = s3Error(cause, "put", "s3://b/x", { bucket: "b", at: "" });
    assert.instance(error, InputOutputError);
    assert.match(String(error), `the store is full (${name}); free some space there`);
  }
});

test.run();
