/** Turns state values into bytes and back; what it writes must be readable by the next version of the job. */
export interface StateCodec<S> {
  encode(value: S): Buffer
  /** Throws on bytes it cannot read. */
  decode(bytes: Buffer): S
}

/**
 * The keyed state of one operator in one epoch attempt. Reads see this attempt's own writes; writes become part of the
 * commit, and are forgotten when the attempt is aborted. Synchronous.
 */
export interface KeyedState<S> {
  get(key: Buffer): S | undefined
  set(key: Buffer, value: S): void
  delete(key: Buffer): void
}
