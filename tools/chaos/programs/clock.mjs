// Loaded by --import: sets the clock that this process and its children see MBS_CHAOS_CLOCK milliseconds ahead. Certificates are
// checked by the system's own.
const ahead = Number(process.env.MBS_CHAOS_CLOCK ?? 0);
const RealDate = Date;
globalThis.Date = class Date extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + ahead);
    else super(...given);
  }
  static now() {
    return RealDate.now() + ahead;
  }
};
