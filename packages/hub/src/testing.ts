export { hubVariables, startHubStub, stubCommit } from "./hub-stub.ts";
export type { HubStub, HubVariables } from "./hub-stub.ts";
export { startPushStub } from "./push-stub.ts";
export type { PushStub } from "./push-stub.ts";
