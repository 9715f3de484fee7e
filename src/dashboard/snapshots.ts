import { within, type Clock } from '../core/ports/clock.ts'

/** What a path answers. */
export interface Reply {
  readonly status: number
  /** Content-Type. */
  readonly type: string
  readonly body: string | Uint8Array
  readonly contentSecurityPolicy?: string
}

export function plainReply(status: number, text: string): Reply {
  return { status, type: 'text/plain; charset=utf-8', body: `${text}\n` }
}

/** Nothing of ours is loaded, framed or read by another site. */
export const securityHeaders = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
}

/** What the job's thread says to a question. */
export interface JobAnswer {
  readonly path: string
  readonly reply: Reply
  /** How long the job's thread has worked for it. */
  readonly costMs: number
}

export interface SnapshotOptions {
  readonly clock: Clock
  /** Asks the job's thread, which answers by `answered` at some time or never. */
  readonly ask: (path: string) => void
  /** Paths that cost next to nothing and are asked for anew. */
  readonly urgent: ReadonlySet<string>
}

/** An answer is shown to all who ask within this time. */
export const answerMaxAgeMs = 500
/** The same for what is urgent. */
export const urgentMaxAgeMs = 50
/** After an answer that took long to make, the job's thread has rest for so many times as long: 2 % of it is the most. */
export const restPerCost = 50
/** A job's thread that has not answered for so long is stuck. */
export const stuckMs = 5_000

interface Snapshot {
  reply: Reply | null
  answeredMs: number
  costMs: number
  /** The question that is under way. */
  asking: Asking | null
}

interface Asking {
  readonly sinceMs: number
  readonly answered: Promise<Reply>
  readonly resolve: (reply: Reply) => void
}

/**
 * What the job's thread has said lately. Whoever asks meanwhile gets the same, and there is one question about a path at a
 * time: what the job pays does not depend on who asks, and how often.
 */
export class Snapshots {
  readonly #options: SnapshotOptions
  readonly #snapshots = new Map<string, Snapshot>()

  constructor(options: SnapshotOptions) {
    this.#options = options
  }

  /** 503 when the job's thread does not answer. */
  async get(path: string): Promise<Reply> {
    const { clock } = this.#options
    const snapshot = this.#of(path)
    const ageMs = clock.monotonicMs() - snapshot.answeredMs
    if (snapshot.reply !== null && ageMs < this.#lifeMs(path, snapshot)) return snapshot.reply
    snapshot.asking ??= this.#ask(path)
    const { sinceMs, answered } = snapshot.asking
    const leftMs = Math.max(0, sinceMs + stuckMs - clock.monotonicMs())
    return within(clock, leftMs, answered, () =>
      plainReply(503, `The job has not answered for ${String(stuckMs / 1000)} s: something holds up its thread.`),
    )
  }

  answered({ path, reply, costMs }: JobAnswer): void {
    const snapshot = this.#of(path)
    snapshot.reply = { ...reply, body: typeof reply.body === 'string' ? Buffer.from(reply.body) : reply.body }
    snapshot.answeredMs = this.#options.clock.monotonicMs()
    snapshot.costMs = costMs
    snapshot.asking?.resolve(snapshot.reply)
    snapshot.asking = null
  }

  #of(path: string): Snapshot {
    const known = this.#snapshots.get(path)
    if (known !== undefined) return known
    const created: Snapshot = { reply: null, answeredMs: -Infinity, costMs: 0, asking: null }
    this.#snapshots.set(path, created)
    return created
  }

  #lifeMs(path: string, { costMs }: Snapshot): number {
    const lifeMs = this.#options.urgent.has(path) ? urgentMaxAgeMs : answerMaxAgeMs
    return Math.max(lifeMs, restPerCost * costMs)
  }

  #ask(path: string): Asking {
    const { promise, resolve } = Promise.withResolvers<Reply>()
    this.#options.ask(path)
    return { sinceMs: this.#options.clock.monotonicMs(), answered: promise, resolve }
  }
}
