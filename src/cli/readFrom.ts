import * as E from 'fp-ts/lib/Either.js'
import { integer, textCodec } from '../core/settingCodecs.ts'
import { startMode } from '../core/startMode.ts'
import type { ReadFrom } from './commands/topicRead.ts'

const expected = 'earliest, latest, an offset such as 12, or an ISO time with zone such as 2026-11-01T08:00:00Z'

/** Where to read from: `earliest`, `latest`, an offset, or a time, which may also be spelt `timestamp:<time>`. */
export const readFrom = textCodec<ReadFrom>(
  expected,
  (input) => {
    const text = input.trim()
    const offset = integer({ min: 0 }).decode(text)
    if (E.isRight(offset)) return E.right({ kind: 'offset', offset: offset.right })
    const mode = startMode.decode(/^\d{4}-/.test(text) ? `timestamp:${text}` : text)
    if (E.isLeft(mode) || /^committed/i.test(text)) return E.left(expected)
    const from = mode.right
    if (from.kind === 'offsets' || from.kind === 'committed') return E.left(expected)
    return E.right(from)
  },
  (from) => {
    switch (from.kind) {
      case 'offset':
        return String(from.offset)
      case 'timestamp':
        return new Date(from.timestampMs).toISOString()
      default:
        return from.kind
    }
  },
)
