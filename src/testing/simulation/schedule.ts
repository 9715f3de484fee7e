/** How long calls take in a world where nothing is wrong. */
export interface Latencies {
  readonly requestMs: number
  readonly answerMs: number
}

/**
 * When each asynchronous step happens, drawn from the seed: how long the nth call of a name takes on its way and back.
 * It depends on nothing else, so that a history with one fault less runs the same up to where that fault was.
 */
export class Schedule {
  readonly #seed: number
  readonly #markersLag: boolean
  readonly #counts: Map<string, number> = new Map<string, number>()

  constructor(seed: number) {
    this.#seed = mix(seed | 0, Math.floor(seed / 2 ** 32) | 0)
    this.#markersLag = this.derive('markers') % 3 === 0
  }

  /** The latencies of the next call of this name. */
  next(call: string): Latencies {
    const count = this.#counts.get(call) ?? 0
    this.#counts.set(call, count + 1)
    const word = mix(mix(this.#seed, textHash(call)), count)
    return { requestMs: latencyMs(word & 0xffff), answerMs: latencyMs(word >>> 16) }
  }

  /** How long the next marker is under way: with every third seed as long as calls are, with the others no time at all. */
  nextMarkerMs(): number {
    return this.#markersLag ? this.next('marker').answerMs : 0
  }

  /** A seed of its own for something that draws its own numbers. */
  derive(name: string): number {
    return mix(this.#seed, textHash(name)) >>> 0
  }
}

/** Mostly 0 to 3 ms, one in ten up to 20, one in a hundred up to 200. */
function latencyMs(word: number): number {
  const share = word % 100
  if (share < 90) return share % 4
  if (share < 99) return (share % 17) + 3
  return 20 + ((word >>> 7) % 180)
}

function textHash(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash
}

/** murmur3's way of mixing one word into another. */
function mix(hash: number, word: number): number {
  let mixed = Math.imul(word, 0xcc9e2d51)
  mixed = Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593) ^ hash
  mixed = Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) | 0
}
