import type { Clock } from '../../core/ports/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { LogFields, Logger } from '../../core/ports/logger.ts'

/** More lines than anybody reads; the first and the last ones are kept. */
const maxShown = 400

/** What happened in a simulated world, one line an event. Costs nothing while it is not recording. */
export class Timeline {
  readonly recording: boolean
  readonly #lines: string[] = []
  readonly #clock: Clock
  readonly #startMs: number

  constructor(clock: Clock, recording: boolean) {
    this.#clock = clock
    this.#startMs = clock.now()
    this.recording = recording
  }

  /** @param who a process, or a part of the world. */
  add(who: string, event: string): void {
    if (!this.recording) return
    const ms = this.#clock.now() - this.#startMs
    this.#lines.push(`${(ms / 1000).toFixed(3).padStart(9)} s  ${who.padEnd(6)} ${event}`)
  }

  get lines(): readonly string[] {
    return this.#lines
  }

  /** A logger whose warnings and errors stand in the timeline. */
  logger(who: string): Logger {
    const add = (message: string, { reason, error, code }: LogFields = {}): void => {
      if (!this.recording) return
      const why = error instanceof Error ? messageOf(error) : (reason ?? code)
      this.add(who, `says: ${message}${typeof why === 'string' ? ` (${why})` : ''}`)
    }
    const logger: Logger = { debug: ignore, info: ignore, warn: add, error: add, with: () => logger }
    return logger
  }
}

/** The lines as one text; in the middle of a long one they are left out. */
export function timelineText(lines: readonly string[]): string {
  if (lines.length <= maxShown) return lines.join('\n')
  const left = lines.length - maxShown
  const half = maxShown / 2
  return [...lines.slice(0, half), `   … ${String(left)} lines left out …`, ...lines.slice(-half)].join('\n')
}

function ignore(): void {}
