/** Who wrote a file, as fields for it expect: name:version, of the version in package.json. */
export const producer = "multilingual-brain-surgeon:0.1.0";
