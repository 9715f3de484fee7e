import { foreignPeer } from '../../../core/foreignPeer.ts'

/** What came is no answer of a Kafka broker. */
export class NotKafka extends Error {
  override readonly name = 'NotKafka'

  /** @param bytes from the beginning of the answer on, where these are not what they should be. */
  constructor(bytes: Buffer = Buffer.alloc(0)) {
    const peer = foreignPeer(bytes)
    super(`what answers is no Kafka broker${peer === null ? '' : ` but ${peer}`}`)
  }
}

/**
 * The longest answer that is taken. Kafka holds no record batch beyond 2^31 bytes, and a batch of that size could not be
 * unpacked here.
 */
const maxFrameBytes = 2 ** 30
/** From this length on, a first answer that begins as that of another kind of server is taken for one. */
const suspiciousFrameBytes = 2 ** 24
const nothing = Buffer.alloc(0)
/** A frame that is not whole yet begins with so much memory, and gets twice as much as it has when it needs more. */
const firstFrameBytes = 64 * 1024
/** When so much of it has come, its length is believed: it gets all of its memory, so that it is not copied once more. */
const believedBytes = 1024 * 1024

/**
 * Cuts what comes from a broker into answers: four bytes of length, and so many more. A length that no broker would send
 * is refused with `NotKafka` before anything is kept for it. What comes of a long answer is put into place at once: it never
 * stands in memory twice as a whole, and its length alone takes none.
 */
export class FrameReader {
  static readonly lengthBytes = 4
  /** What has come of the next frame, in `#bytes` up to `#filled`. */
  #bytes: Buffer = nothing
  #filled = 0
  /** Of the frame that is being read, its length included; null: not known yet. */
  #needed: number | null = null
  #first = true

  /** @param found called with each whole frame, its length before it; the frame is the caller's. */
  read(data: Buffer, found: (frame: Buffer) => void): void {
    let left = data
    while (left.length > 0) {
      if (this.#filled === 0 && left.length >= FrameReader.lengthBytes) {
        // Most come whole, and are handed on where they are.
        const needed = this.#frameBytes(left)
        if (left.length >= needed) {
          const frame = left.subarray(0, needed)
          left = left.subarray(needed)
          this.#first = false
          found(frame)
          continue
        }
        this.#needed = needed
      }
      left = left.subarray(this.#take(left))
      if (this.#needed === null && this.#filled >= FrameReader.lengthBytes) {
        this.#needed = this.#frameBytes(this.#bytes.subarray(0, this.#filled))
      }
      if (this.#needed === null || this.#filled < this.#needed) continue
      const frame = this.#bytes.subarray(0, this.#needed)
      this.#bytes = nothing
      this.#filled = 0
      this.#needed = null
      this.#first = false
      found(frame)
    }
  }

  /** Puts as much into place as belongs to the frame: of one whose length is not known, its length. */
  #take(data: Buffer): number {
    const needed = this.#needed ?? FrameReader.lengthBytes
    const part = Math.min(data.length, needed - this.#filled)
    if (this.#filled + part > this.#bytes.length) this.#grow(Math.min(needed, this.#filled + part), needed)
    data.copy(this.#bytes, this.#filled, 0, part)
    this.#filled += part
    return part
  }

  #grow(least: number, needed: number): void {
    const isBelieved = this.#filled >= believedBytes
    const room = isBelieved ? needed : Math.max(least, firstFrameBytes, this.#bytes.length * 2)
    const larger = Buffer.allocUnsafeSlow(this.#needed === null ? room : Math.min(needed, room))
    this.#bytes.copy(larger, 0, 0, this.#filled)
    this.#bytes = larger
  }

  #frameBytes(bytes: Buffer): number {
    const length = bytes.readInt32BE(0)
    const isSuspicious = this.#first && length > suspiciousFrameBytes && foreignPeer(bytes) !== null
    if (length < 0 || length > maxFrameBytes || isSuspicious) throw new NotKafka(bytes)
    return FrameReader.lengthBytes + length
  }
}
