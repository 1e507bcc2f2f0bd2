/** `!function module.name` of a task: a Python function, which is not run but looked up among those written here. */
export class FunctionReference {
  /** Absolute path of the folder of the file that names it. */
  readonly folder: string;
  /** `utils` */
  readonly module: string;
  /** `process_docs` */
  readonly name: string;

  constructor(folder: string, qualified: string) {
    const dot = qualified.lastIndexOf(".");
    this.folder = folder;
    this.module = qualified.slice(0, Math.max(dot, 0));
    this.name = qualified.slice(dot + 1);
  }

  toString(): string {
    return `${this.module}.${this.name}`;
  }
}
