import { styleText } from 'node:util'
import type { CliOutput } from './cliIo.ts'

/** Thrown to a command whose reader has gone away (`tidemark topic read x | head`): it ends quietly, with exit code 0. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed'
}

export type Style = Parameters<typeof styleText>[0]

/** Prints to one stream, no faster than it is read. */
export class Printer {
  readonly #stream: CliOutput
  #closed = false
  readonly #onError = (error?: NodeJS.ErrnoException): void => {
    if (error?.code === 'EPIPE' || error?.code === 'ERR_STREAM_DESTROYED') this.#closed = true
    else throw error ?? new Error('The output failed')
  }

  constructor(stream: CliOutput) {
    this.#stream = stream
    stream.on('error', this.#onError)
  }

  /** True when people read it: a terminal. */
  get isTerminal(): boolean {
    return this.#stream.isTTY === true
  }

  /** Resolves when the reader can take more. Rejects with `OutputClosed` when it has gone away. */
  async write(data: string | Uint8Array): Promise<void> {
    if (this.#closed) throw new OutputClosed()
    if (this.#stream.write(data)) return
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        for (const event of ['drain', 'error', 'close'] as const) this.#stream.off(event, wake)
        resolve()
      }
      for (const event of ['drain', 'error', 'close'] as const) this.#stream.on(event, wake)
    })
    if (this.#closed) throw new OutputClosed()
  }

  /** One line, or several. */
  line(text = ''): Promise<void> {
    return this.write(`${text}\n`)
  }

  /** In colour on a terminal that takes it; NO_COLOR is honoured. */
  style(style: Style, text: string): string {
    return this.#stream.hasColors?.() === true ? styleText(style, text, { validateStream: false }) : text
  }
}

/**
 * Control characters as visible escapes, for text that comes from records and is shown on a terminal: a message must not
 * move its cursor. Tabs stay.
 */
export function visible(text: string): string {
  return text.replaceAll(
    /[\u0000-\u0008\u000A-\u001F\u007F-\u009F]/g,
    (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

/** The same for text that we or a job have coloured: colours, which do no harm, and newlines stay. */
export function visibleButColours(text: string): string {
  return text
    .split(/(\u001B\[\d{1,2}m|\n)/)
    .map((part, i) => (i % 2 === 1 ? part : visible(part)))
    .join('')
}
