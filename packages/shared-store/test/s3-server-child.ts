// Serves a folder as S3, with one bucket, until it is killed; its port is its first line. On loopback and any port, or as told; with
// TLS where it is given a certificate and its key.
import { readFileSync } from "node:fs";
import S3rver from "@20minutes/s3rver";

const [, , directory, bucket, address = "127.0.0.1", wanted = "0", cert, key] = process.argv;
if (directory === undefined || bucket === undefined) {
  throw new Error("usage: s3-server-child FOLDER BUCKET [ADDRESS PORT [CERT KEY]]");
}
const server = new S3rver({
  address,
  port: Number(wanted),
  directory,
  ...(cert !== undefined && key !== undefined && { cert: readFileSync(cert), key: readFileSync(key) }),
  silent: true,
  // it computes those of requests for a bucket as if their path had no slash at its end; wrong keys are still refused
  allowMismatchedSignatures: true,
  configureBuckets: [{ name: bucket }],
});
const { port } = await server.run();
process.stdout.write(`${port}\n`);
