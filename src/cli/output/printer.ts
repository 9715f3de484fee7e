import { styleText } from 'node:util'
import { systemRandom } from '../../core/ports/random.ts'
import type { Secrets } from '../../core/secrets.ts'
import { visible, visibleLines } from '../../core/visible.ts'
import type { CliOutput } from '../cliIo.ts'

/** Thrown to a command whose reader has gone away (`tidemark topic read x | head`): it ends quietly, with exit code 0. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed'
}

export type Style = Parameters<typeof styleText>[0]

/**
 * Prints to one stream, no faster than it is read, and is the only way there: secrets are masked, and what cannot be seen is
 * printed as an escape, whatever the text came from. Colours are put in afterwards: `style` marks them by a word that is drawn
 * at random, so that no message, name or error text can have colours of its own.
 */
export class Printer {
  readonly #stream: CliOutput
  readonly #secrets: Secrets
  readonly #mark: string
  readonly #marked: RegExp
  #closed = false
  readonly #onError = (error?: NodeJS.ErrnoException): void => {
    if (error?.code === 'EPIPE' || error?.code === 'ERR_STREAM_DESTROYED') this.#closed = true
    else throw error ?? new Error('The output failed')
  }

  constructor(stream: CliOutput, secrets: Secrets) {
    this.#stream = stream
    this.#secrets = secrets
    this.#mark = systemRandom.hex(8)
    this.#marked = new RegExp(String.raw`\\x1b${this.#mark}(\[\d{1,3}m)`, 'g')
    stream.on('error', this.#onError)
  }

  /** True when people read it: a terminal. */
  get isTerminal(): boolean {
    return this.#stream.isTTY === true
  }

  /** One line, or several. Resolves when the reader can take more. Rejects with `OutputClosed` when it has gone away. */
  line(text = ''): Promise<void> {
    return this.#write(`${this.#shown(text)}\n`)
  }

  /** Text as it stands, at once and without waiting: a question, or what a library prints. */
  text(text: string): void {
    if (!this.#closed) this.#stream.write(this.#shown(text))
  }

  /**
   * What was asked for byte by byte, as a record's value for a file or another program: nothing is masked and nothing escaped.
   * For a terminal it must have been made visible before.
   */
  data(bytes: Uint8Array): Promise<void> {
    return this.#write(bytes)
  }

  /** In colour on a terminal that takes it, where it is printed by this printer; NO_COLOR is honoured. */
  style(style: Style, text: string): string {
    if (this.#stream.hasColors?.() !== true) return text
    const [on = '', off = ''] = styleText(style, '\u0000', { validateStream: false })
      .replaceAll('\u001B', `\u001B${this.#mark}`)
      .split('\u0000')
    return `${on}${text}${off}`
  }

  /** Rows under a head, in columns; what is not seen in a cell is an escape. */
  async table(heads: readonly string[], rows: readonly (readonly string[])[]): Promise<void> {
    const [head = '', ...lines] = alignColumns([heads, ...rows.map((row) => row.map(visible))])
    await this.line(this.style('bold', head))
    for (const line of lines) await this.line(line)
  }

  #shown(text: string): string {
    // What is escaped by now is our own marks as well, which nobody else can write.
    return visibleLines(this.#secrets.mask(text)).replaceAll(this.#marked, '\u001B$1')
  }

  async #write(data: string | Uint8Array): Promise<void> {
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
}

/** Rows of cells as lines with aligned columns, two spaces between; no spaces at the ends of lines. */
export function alignColumns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  }
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** A word as a shell takes it. */
export function shellWord(word: string): string {
  return /^[\w./@:-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
