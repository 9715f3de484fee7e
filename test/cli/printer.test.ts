import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import type { CliOutput } from '../../src/cli/cliIo.ts'
import { OutputClosed, Printer, visible, visibleButColours } from '../../src/cli/printer.ts'

class TestOutput extends EventEmitter implements CliOutput {
  readonly written: (string | Uint8Array)[] = []
  full = false
  colours = false
  write(data: string | Uint8Array): boolean {
    this.written.push(data)
    return !this.full
  }
  hasColors(): boolean {
    return this.colours
  }
}

test('a full output is waited for', async () => {
  const output = new TestOutput()
  const printer = new Printer(output)
  await printer.line('a')
  output.full = true
  let written = false
  const writing = printer.line('b').then(() => {
    written = true
  })
  await new Promise(setImmediate)
  expect(written).toBe(false)
  output.emit('drain')
  await writing
  expect(output.written).toEqual(['a\n', 'b\n'])
})

test('waiting many times leaves no listeners behind', async () => {
  const output = new TestOutput()
  const printer = new Printer(output)
  output.full = true
  for (let i = 0; i < 50; i += 1) {
    const writing = printer.line()
    output.emit('drain')
    await writing
  }
  expect(output.listenerCount('drain')).toBe(0)
  expect(output.listenerCount('error')).toBe(1)
})

test('a reader that has gone away ends the printing, now or while it waits', async () => {
  const output = new TestOutput()
  const printer = new Printer(output)
  output.full = true
  const writing = printer.line('a')
  output.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
  await expect(writing).rejects.toBeInstanceOf(OutputClosed)
  await expect(printer.line('b')).rejects.toBeInstanceOf(OutputClosed)
  expect(output.written).toEqual(['a\n'])
})

test('colours are used only where the output takes them', () => {
  const output = new TestOutput()
  const printer = new Printer(output)
  expect(printer.style('red', 'x')).toBe('x')
  output.colours = true
  expect(printer.style('red', 'x')).toBe('\u001B[31mx\u001B[39m')
})

test('control characters are made visible, and tabs and letters stay', () => {
  expect(visible('a\tä\u001B[2J\n\u009B\u007F')).toBe('a\tä\\x1b[2J\\x0a\\x9b\\x7f')
})

test('of coloured text, colours and newlines stay and other control characters do not', () => {
  expect(visibleButColours('\u001B[31mred\u001B[39m\nnext\u001B[2J\r')).toBe(
    '\u001B[31mred\u001B[39m\nnext\\x1b[2J\\x0d',
  )
})
