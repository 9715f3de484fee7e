import { createHash } from 'node:crypto'
import { isUtf8 } from 'node:buffer'
import { TidemarkError } from './errors.ts'
import { formatPosition, noTimestamp, recordBytes, type Header, type StreamRecord } from './record.ts'
import { UnreadRecord } from './unreadRecord.ts'

const ownHeaders: ReadonlySet<string> = new Set([
  'error-code',
  'source-topic',
  'source-partition',
  'source-offset',
  'epoch',
  'original-encoding',
  'original-timestamp',
  'original-bytes',
  'original-sha256',
  'source-last-offset',
])

/** Before the name of a source's header that is ours as well. */
const originalPrefix = 'original-'

/** What a dead letter leaves out, or has otherwise than its source, so that its topic takes it. */
interface DeadLetterForm {
  readonly maxOriginalBytes: number
  /** The source's headers are left out. */
  readonly headers: boolean
  /** The source's key is left out. */
  readonly key: boolean
  /** In UTF-16 code units. */
  readonly maxErrorLength: number
  /** Instead of the source's; null: the source's. */
  readonly timestamp: number | null
  /** Where there is no key of the source, the position is the key. */
  readonly positionAsKey: boolean
  /** Nothing of the source but its position: there is nothing in it to refuse. */
  readonly bare: boolean
}

const wholeForm: DeadLetterForm = {
  maxOriginalBytes: Infinity,
  headers: false,
  key: false,
  maxErrorLength: Infinity,
  timestamp: null,
  positionAsKey: false,
  bare: false,
}

const bareForm: DeadLetterForm = {
  maxOriginalBytes: 0,
  headers: true,
  key: true,
  maxErrorLength: 200,
  timestamp: noTimestamp,
  positionAsKey: true,
  bare: true,
}

/** A JSON character costs at most six bytes (`\u0000`), so a text cut to a sixth of the room always fits. */
const worstEscape = 6

/**
 * A record that could not be processed, with its reason and its source position; what operators emit to `onError`.
 *
 * As a record of a topic it is the value `{error, originalMessage, timestamp}` under the source's key, with the source's
 * own headers and ours for code, position and epoch. `originalMessage` is the value's text when it is valid UTF-8, else
 * base64 with header `original-encoding`, and null for a tombstone and for what could not be read: then the header
 * `original-bytes` has its size, where it is known, and `source-last-offset` the last of several records that were passed.
 */
export class DeadLetter {
  readonly error: TidemarkError
  readonly record: StreamRecord<unknown>
  readonly epoch: number
  readonly #form: DeadLetterForm

  constructor(error: TidemarkError, record: StreamRecord<unknown>, epoch: number, form: DeadLetterForm = wholeForm) {
    this.error = error
    this.record = record
    this.epoch = epoch
    this.#form = form
  }

  get topic(): string {
    return this.record.topic
  }

  get partition(): number {
    return this.record.partition
  }

  get offset(): number {
    return this.record.offset
  }

  /** The source record's; none where that is a time no log takes, because a dead letter must never be refused. */
  get timestamp(): number {
    const timestamp = this.#form.timestamp ?? this.record.timestamp
    return Number.isSafeInteger(timestamp) && timestamp >= noTimestamp ? timestamp : noTimestamp
  }

  get key(): Buffer | null {
    const key = this.#form.key ? null : this.record.key
    return key === null && this.#form.positionAsKey ? Buffer.from(formatPosition(this.record)) : key
  }

  get value(): Buffer {
    const { raw, timestamp } = this.record
    const { text } = this.#original(raw)
    const { message } = this.error
    const { maxErrorLength } = this.#form
    const error = message.length > maxErrorLength ? message.slice(0, maxErrorLength).toWellFormed() : message
    return Buffer.from(JSON.stringify({ error, originalMessage: text, timestamp }))
  }

  get headers(): readonly Header[] {
    const { record } = this
    const headers: Header[] = this.#form.headers ? [] : record.headers.map(keptHeader)
    const add = (name: string, value: string | number): void => {
      headers.push([name, Buffer.from(String(value))])
    }
    add('error-code', this.error.code)
    add('source-topic', record.topic)
    add('source-partition', record.partition)
    add('source-offset', record.offset)
    add('epoch', this.epoch)
    if (this.timestamp !== record.timestamp) add('original-timestamp', record.timestamp)
    const original = this.#original(record.raw)
    if (original.base64) add('original-encoding', 'base64')
    if (record instanceof UnreadRecord) {
      if (record.bytes !== null) add('original-bytes', record.bytes)
      if (record.next > record.offset + 1) add('source-last-offset', record.next - 1)
    }
    if (record.raw !== null && original.cut) {
      add('original-bytes', record.raw.length)
      add('original-sha256', createHash('sha256').update(record.raw).digest('hex'))
    }
    return headers
  }

  /**
   * The same dead letter, cut so that it takes at most `maxBytes`: first the original message, then the source's headers,
   * then its key, and at last the error's sentence. It always fits a limit that a broker can have (1 KiB and more).
   */
  fit(maxBytes: number): DeadLetter {
    if (recordBytes(this) <= maxBytes) return this
    for (const [headers, key] of [
      [false, false],
      [true, false],
      [true, true],
    ] as const) {
      const form = { maxOriginalBytes: 0, headers, key, maxErrorLength: Infinity }
      const room = maxBytes - recordBytes(this.#with(form))
      if (room >= 0) return this.#with({ ...form, maxOriginalBytes: Math.floor(room / worstEscape) })
    }
    const form = { maxOriginalBytes: 0, headers: true, key: true, maxErrorLength: 0 }
    const room = Math.max(0, maxBytes - recordBytes(this.#with(form)))
    return this.#with({ ...form, maxErrorLength: Math.floor(room / worstEscape) })
  }

  /**
   * The next form of the same dead letter, for a topic that refuses this one: cut to fit, of the present where the source's
   * time is refused (else without a time), under its position where a key is needed, and at last bare. Null when there is
   * none: then nothing of it is the reason.
   */
  answerTo({ details }: TidemarkError, nowMs: number): DeadLetter | null {
    const { timestamp, positionAsKey, bare } = this.#form
    const { field, maxBytes } = details
    if (field === 'topic' || field === 'partition') return null
    if (field === 'timestamp' && timestamp !== noTimestamp) {
      return this.#with({ timestamp: timestamp === null && details['nowFits'] === true ? nowMs : noTimestamp })
    }
    if (field === 'key' && !positionAsKey) return this.#with({ positionAsKey: true })
    if (field === 'value' && typeof maxBytes === 'number') {
      const smaller = this.fit(maxBytes)
      if (recordBytes(smaller) < recordBytes(this)) return smaller
    }
    return bare ? null : this.#with(bareForm)
  }

  /** The same without what `mask` takes out of the error; what the source record holds is its own. */
  masked(mask: (text: string) => string): DeadLetter {
    const message = mask(this.error.message)
    if (message === this.error.message) return this
    const { code, retriable, details } = this.error
    return new DeadLetter(new TidemarkError(code, message, { retriable, details }), this.record, this.epoch, this.#form)
  }

  #with(form: Partial<DeadLetterForm>): DeadLetter {
    return new DeadLetter(this.error, this.record, this.epoch, { ...this.#form, ...form })
  }

  #original(raw: Buffer | null): { text: string | null; base64: boolean; cut: boolean } {
    if (raw === null) return { text: null, base64: false, cut: false }
    const base64 = !isUtf8(raw)
    const cut = raw.length > this.#form.maxOriginalBytes
    if (base64) {
      const kept = cut ? raw.subarray(0, this.#form.maxOriginalBytes) : raw
      return { text: kept.toString('base64'), base64, cut }
    }
    return { text: cut ? cutText(raw, this.#form.maxOriginalBytes) : raw.toString('utf8'), base64, cut }
  }
}

/**
 * A source's header under a name that cannot be taken for one of ours. What already looks like a name that was changed is
 * changed too, so that taking one prefix off gives back the name it had.
 */
function keptHeader(header: Header): Header {
  const [name, value] = header
  let at = 0
  while (name.startsWith(originalPrefix, at)) at += originalPrefix.length
  const rest = name.slice(at)
  const isOurs = ownHeaders.has(rest) || (at > 0 && ownHeaders.has(`${originalPrefix}${rest}`))
  return isOurs ? [`${originalPrefix}${name}`, value] : header
}

/** The longest prefix of valid UTF-8 that takes at most `maxBytes` and ends between two characters. */
function cutText(raw: Buffer, maxBytes: number): string {
  let end = maxBytes
  while (end > 0 && ((raw[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return raw.toString('utf8', 0, end)
}
