import { foreignPeer } from '../../../core/foreignPeer.ts'
import { NotKafka } from './notKafka.ts'

/**
 * The longest answer that is taken. Kafka holds no record batch beyond 2^31 bytes, and a batch of that size could not be
 * unpacked here.
 */
const maxFrameBytes = 2 ** 30
/** From this length on, a first answer that begins as that of another kind of server is taken for one. */
const suspiciousFrameBytes = 2 ** 24

/**
 * Cuts what comes from a broker into answers: four bytes of length, and so many more. A length that no broker would send
 * is refused with `NotKafka` before anything is kept for it.
 */
export class FrameReader {
  static readonly lengthBytes = 4
  #chunks: Buffer[] = []
  #bytes = 0
  /** Of the frame that is being read, its length included; null: not known yet. */
  #needed: number | null = null
  #first = true

  /** @param found called with each whole frame, its length before it. */
  read(data: Buffer, found: (frame: Buffer) => void): void {
    this.#chunks.push(data)
    this.#bytes += data.length
    while (this.#bytes >= (this.#needed ?? FrameReader.lengthBytes)) {
      const bytes = this.#joined()
      this.#needed ??= this.#frameBytes(bytes)
      if (bytes.length < this.#needed) return
      const frame = bytes.subarray(0, this.#needed)
      const rest = bytes.subarray(this.#needed)
      this.#chunks = rest.length === 0 ? [] : [rest]
      this.#bytes = rest.length
      this.#needed = null
      this.#first = false
      found(frame)
    }
  }

  #joined(): Buffer {
    const [only] = this.#chunks
    const bytes = only !== undefined && this.#chunks.length === 1 ? only : Buffer.concat(this.#chunks, this.#bytes)
    this.#chunks = [bytes]
    return bytes
  }

  #frameBytes(bytes: Buffer): number {
    const length = bytes.readInt32BE(0)
    const isSuspicious = this.#first && length > suspiciousFrameBytes && foreignPeer(bytes) !== null
    if (length < 0 || length > maxFrameBytes || isSuspicious) throw new NotKafka(bytes)
    return FrameReader.lengthBytes + length
  }
}
