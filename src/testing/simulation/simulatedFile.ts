import type { Random } from '../../core/ports/random.ts'

/** Writes that the operating system keeps back before it writes them to the disk. */
const writtenBehind = 8
/** A page of the operating system; small, because a simulated task writes a few hundred bytes between two starts. */
const pageBytes = 32

/** A file that is appended to and never synced. */
export class SimulatedFile {
  #bytes: Buffer = Buffer.alloc(1024)
  #length = 0
  /** How long it was before each of the last writes, oldest first; what is before the oldest is on the disk. */
  #lengths: number[] = []

  get length(): number {
    return this.#length
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  append(bytes: Buffer): void {
    const length = this.#length + bytes.length
    if (length > this.#bytes.length) {
      const larger = Buffer.alloc(length * 2)
      this.bytes.copy(larger)
      this.#bytes = larger
    }
    bytes.copy(this.#bytes, this.#length)
    this.#lengths.push(this.#length)
    if (this.#lengths.length > writtenBehind) this.#lengths.shift()
    this.#length = length
  }

  /**
   * The power goes. Pages that were not written yet read as zeros: the last ones, or any of them, also before others that
   * were; and the file is as long as it was at any moment since.
   */
  losePower(random: Random): void {
    const safe = this.#lengths[0] ?? this.#length
    const holes = random.next()
    // Of some power losses none, of some a few, of some half of them.
    const share = holes < 0.4 ? 0 : holes < 0.8 ? 0.1 : 0.5
    for (let page = safe - (safe % pageBytes); page < this.#length; page += pageBytes) {
      if (random.next() < share) this.bytes.subarray(Math.max(safe, page), page + pageBytes).fill(0)
    }
    const lengths = [...this.#lengths, this.#length]
    const length =
      random.next() < 0.5 ? this.#length : (lengths[Math.floor(random.next() * lengths.length)] ?? this.#length)
    // Zeros, for what is appended next: there is nothing behind the end of a file.
    this.#bytes.fill(0, length)
    this.#length = length
    this.#lengths = []
  }

  /** A bit is flipped somewhere, a page is lost, or the end. */
  damage(random: Random): void {
    const at = Math.floor(random.next() * this.#length)
    const how = Math.floor(random.next() * 3)
    if (how === 0) this.#bytes[at] = (this.#bytes[at] ?? 0) ^ (1 << Math.floor(random.next() * 8))
    else if (how === 1) this.bytes.subarray(at - (at % pageBytes), at - (at % pageBytes) + pageBytes).fill(0)
    else this.#length = at
  }
}
