import * as E from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import { invalidArgument } from './mistakes.ts'
import { textCodec } from './settingCodecs.ts'

/**
 * Where a task without a commit begins. It applies only there: the resolved position is committed as epoch 0 before the
 * first read, so that a crash before epoch 1 skips nothing.
 */
export type StartMode =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  /** Start only from committed offsets; fails with `no-committed-offset` where there are none. */
  | { readonly kind: 'committed' }
  | { readonly kind: 'timestamp'; readonly timestampMs: number }
  /** Offsets by partition; a partition that is absent starts at earliest. */
  | { readonly kind: 'offsets'; readonly offsets: ReadonlyMap<number, number> }

export const earliest: StartMode = { kind: 'earliest' }
export const latest: StartMode = { kind: 'latest' }

/** Committed offsets, and what to do where there are none: fail (default) or start at one end. */
export function committedOffsets(otherwise?: 'earliest' | 'latest'): StartMode {
  return { kind: otherwise ?? 'committed' }
}

/**
 * The first record of each partition that is of this time or later, by the records' own timestamps; where there is none,
 * the end.
 *
 * @param time a Date, ms since 1970, or an ISO time with its zone.
 * @throws TidemarkError `invalid-argument`
 * @example fromTimestamp('2026-11-01T08:00:00Z')
 */
export function fromTimestamp(time: Date | number | string): StartMode {
  const timestampMs = typeof time === 'string' ? timeOf(time) : Number(time)
  if (Number.isSafeInteger(timestampMs) && timestampMs >= 0 && timestampMs <= latestMs) {
    return { kind: 'timestamp', timestampMs }
  }
  const place = { operator: 'fromTimestamp', option: 'time', example: "fromTimestamp('2026-11-01T08:00:00Z')" }
  throw invalidArgument(place, time, 'a Date, ms since 1970 or an ISO time with its zone')
}

/**
 * These offsets by partition, the same for each topic; a partition that is not named begins at earliest. An offset that a
 * topic does not hold stops the start.
 *
 * @throws TidemarkError `invalid-argument`
 * @example fromOffsets({ 0: 120, 1: 98 })
 */
export function fromOffsets(offsets: Readonly<Record<number, number>>): StartMode {
  const place = { operator: 'fromOffsets', option: 'offsets', example: 'fromOffsets({ 0: 120, 1: 98 })' }
  const entries = Object.entries(offsets).map(([partition, offset]) => [Number(partition), offset] as const)
  if (entries.length === 0) throw invalidArgument(place, offsets, 'of at least one partition')
  const wrong = entries.flat().find((number) => !Number.isSafeInteger(number) || number < 0)
  if (wrong !== undefined) throw invalidArgument(place, wrong, 'whole numbers from 0 on, offsets by partition')
  return { kind: 'offsets', offsets: new Map(entries) }
}

/** The latest moment that a Date can have. */
const latestMs = 8.64e15

const startModeName = 'committed, earliest, latest, timestamp:<ISO time with zone> or offsets:<partition>=<offset>,…'

/** A start mode as settings and flags spell it; `committed:earliest` and `committed:latest` are `earliest` and `latest`. */
export const startMode: t.Type<StartMode, string, string> = textCodec(startModeName, decodeStartMode, encodeStartMode)

function decodeStartMode(input: string): E.Either<string, StartMode> {
  const trimmed = input.trim()
  switch (trimmed.toLowerCase()) {
    case 'committed':
      return E.right({ kind: 'committed' })
    case 'earliest':
    case 'committed:earliest':
      return E.right({ kind: 'earliest' })
    case 'latest':
    case 'committed:latest':
      return E.right({ kind: 'latest' })
  }
  const [, kind, rest = ''] = /^(timestamp|offsets):(.*)$/i.exec(trimmed) ?? []
  if (kind?.toLowerCase() === 'timestamp') return decodeTimestamp(rest)
  if (kind?.toLowerCase() === 'offsets') return decodeOffsets(rest)
  return E.left(startModeName)
}

function decodeTimestamp(input: string): E.Either<string, StartMode> {
  const timestampMs = timeOf(input)
  return Number.isNaN(timestampMs)
    ? E.left('timestamp:<ISO time with zone>, such as timestamp:2026-01-31T08:00:00Z')
    : E.right({ kind: 'timestamp', timestampMs })
}

/** A time without a zone would mean another moment on every machine, so it is none (NaN). */
function timeOf(input: string): number {
  const isTime = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2}))?$/i.test(input)
  return isTime ? Date.parse(input) : NaN
}

function decodeOffsets(input: string): E.Either<string, StartMode> {
  const offsets = new Map<number, number>()
  for (const part of input.split(',')) {
    const match = /^(\d{1,9})=(\d{1,16})$/.exec(part.trim())
    const partition = Number(match?.[1])
    const offset = Number(match?.[2])
    if (match === null || !Number.isSafeInteger(offset) || offsets.has(partition)) {
      return E.left('offsets:<partition>=<offset>,… with each partition once, such as offsets:0=12,1=40')
    }
    offsets.set(partition, offset)
  }
  return E.right({ kind: 'offsets', offsets })
}

function encodeStartMode(mode: StartMode): string {
  switch (mode.kind) {
    case 'timestamp':
      return `timestamp:${new Date(mode.timestampMs).toISOString()}`
    case 'offsets':
      return `offsets:${[...mode.offsets].map(([partition, offset]) => `${String(partition)}=${String(offset)}`).join(',')}`
    default:
      return mode.kind
  }
}
