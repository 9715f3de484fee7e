import { countValues, exceedsDepth } from '../../../codecs/json/scanJson.ts'
import { TidemarkError } from '../../../core/errors.ts'

/** Of a request or an answer: a record of 16 MiB in base64, with room. */
export const maxBodyBytes = 64 * 1024 * 1024
/** Raw bytes of the records of one answer; base64 makes four thirds of them. */
export const maxAnswerBytes = 48 * 1024 * 1024
/** Records of one answer. */
export const maxAnswerRecords = 10_000
/** All requests and answers that a holder has in memory, and the room for one that is being made. */
export const maxHeldBytes = 96 * 1024 * 1024
/** Connections that are answered; as many again are told to come later, and more are cut. */
export const maxSocketConnections = 64
/** For a request to be there whole, and for its answer to be read; nobody waits longer for either. */
export const transferTimeoutMs = 30_000
/** Room that there has to be before a call is begun whose answer is short: names, offsets, numbers. */
export const shortAnswerRoom = 1024 * 1024
/** An answer that says who holds the directory, or what went wrong. */
export const maxShortAnswerBytes = 64 * 1024

/** A record of 16 MiB may have 170,000 headers, of three values each. */
const maxValues = 1_000_000
const maxDepth = 32

/**
 * Parses what has come over the socket; undefined for what is no JSON. How much it holds is counted before anything is made
 * of it: 60 MB of `[],` would take gigabytes. Throws `invalid-argument`.
 */
export function parseWire(text: string): unknown {
  if (exceedsDepth(text, maxDepth)) throw tooMuch(`is nested deeper than ${String(maxDepth)} levels`)
  refuseManyValues([text])
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Counts the values of texts of JSON inside of a message. Throws `invalid-argument`. */
export function refuseManyValues(texts: readonly string[]): void {
  let left = maxValues
  for (const text of texts) {
    left -= countValues(text, left)
    if (left < 0) throw tooMuch(`holds more than ${String(maxValues)} values`)
  }
}

function tooMuch(what: string): TidemarkError {
  return new TidemarkError('invalid-argument', `A message over the control socket ${what}`)
}
