import { existingBucket, startS3 } from "./s3-place.ts";
import { storeCases } from "./store-cases.ts";

storeCases("a store in S3 with conditional puts", () => startS3("known")).run();
storeCases("a store in S3 that ignores conditions", () => startS3("ignored")).run();
storeCases("a store in S3 that refuses conditions", () => startS3("not implemented")).run();

const own = process.env["MBS_TEST_BUCKET"];
if (own !== undefined) storeCases(`a store in the bucket ${own}`, () => existingBucket(own)).run();
