import { foreignPeer } from '../../../core/foreignPeer.ts'

/** What came is no answer of Cassandra. */
export class NotCassandra extends Error {
  /** @param bytes from the beginning of the answer on. */
  constructor(bytes: Buffer) {
    const peer = foreignPeer(bytes)
    super(`what answers is no Cassandra${peer === null ? '' : ` but ${peer}`}`)
  }
}

/** Of the versions 3 and later, the private ones included: version, flags, stream, opcode, and four bytes of length. */
const headerBytes = 9
const lengthAt = 5
/** The protocol's own limit. */
const maxBodyBytes = 2 ** 28
const answerBit = 0x80
const versions: ReadonlySet<number> = new Set([3, 4, 5, 6, 0x41, 0x42])

/**
 * Follows the frames that one socket brings and throws `NotCassandra` at the first header that Cassandra would not send.
 * The driver believes all headers: by one length below zero it would read for ever.
 */
export class FrameBounds {
  #header: Buffer = Buffer.alloc(0)
  #bodyLeft = 0

  follow(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#bodyLeft > 0) {
        const taken = Math.min(this.#bodyLeft, chunk.length - at)
        this.#bodyLeft -= taken
        at += taken
        continue
      }
      const taken = chunk.subarray(at, at + headerBytes - this.#header.length)
      at += taken.length
      this.#header = this.#header.length === 0 ? taken : Buffer.concat([this.#header, taken])
      this.#check(this.#header)
      if (this.#header.length < headerBytes) return
      this.#bodyLeft = this.#header.readInt32BE(lengthAt)
      this.#header = Buffer.alloc(0)
    }
  }

  #check(header: Buffer): void {
    const [first = 0] = header
    const isAnswer = (first & answerBit) !== 0 && versions.has(first & ~answerBit)
    const length = header.length < headerBytes ? 0 : header.readInt32BE(lengthAt)
    if (!isAnswer || length < 0 || length > maxBodyBytes) throw new NotCassandra(header)
  }
}
